// Small pieces that several views share.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { percent, t } from "./i18n.ts";
import { type Answer, type Label, SIGNS } from "./sentiment.ts";

export function Tag({ label }: { label: Label }) {
  return (
    <span class={`tag ${label}`}>
      <span aria-hidden="true">{SIGNS[label]}</span> {t(label)}
    </span>
  );
}

/** How sure, as a bar; `name` says of what. */
export function Bar({ share, kind, name }: { share: number; kind: Label | "progress"; name: string }) {
  return <progress class={`bar ${kind}`} max={1} value={share} aria-label={`${name} ${percent(share)}`} />;
}

export function Probabilities({ answer }: { answer: Answer }) {
  return (
    <dl class="probabilities">
      {(["positive", "negative"] as const).map((label) => {
        const share = label === "positive" ? answer.positive : 1 - answer.positive;
        return (
          <div key={label}>
            <dt>{t(label)}</dt>
            <dd>
              <Bar share={share} kind={label} name={t(label)} /> <span class="number">{percent(share)}</span>
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

export function CopyButton({ text, children }: { text: () => string; children: ComponentChildren }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await writeClipboard(text());
      say(t("copied"));
    } catch {
      say(t("notCopied"));
    }
    setTimeout(() => say(""), 2000);
  };
  return (
    <>
      <button type="button" class="quiet" onClick={copy}>
        {children}
      </button>
      <span role="status" class="hint">
        {said}
      </span>
    </>
  );
}

/** The clipboard API exists on secure origins only; a port-forward is one, plain HTTP in a cluster is not. */
async function writeClipboard(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}
