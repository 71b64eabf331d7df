// One text: an answer while typing, how sure, and which clause says what.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { analyze, choice, hasKey, info, model, ServiceError } from "./api.ts";
import { clauses } from "./clauses.ts";
import { number, percent, t } from "./i18n.ts";
import { Bar, CopyButton, Probabilities, Tag } from "./parts.tsx";
import { type Answer, isProblem, type Problem, SIGNS } from "./sentiment.ts";
import { curl, KEY_VARIABLE, python } from "./snippets.ts";
import { remember } from "./store.ts";

const PAUSE_MS = 250; // after the last key, before asking
const SETTLED_MS = 1500; // after the last key, before it goes to the history
const EXAMPLES = [
  "屏幕很好，但是电池太差",
  "这款手机拍照效果真的很棒，电池续航也很给力！",
  "物流速度太慢了，等了一周才到",
  "产品质量一般，没有宣传的那么好",
  "客服完全不理人，差评",
];

/** Kept while other views are shown. */
export const liveText = signal("");

interface Result {
  text: string;
  whole: Answer | Problem;
  parts: { text: string; answer: Answer | Problem }[];
  ms: number;
}

export function Live() {
  const [result, setResult] = useState<Result | null>(null);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const text = liveText.value;
  // What is answered but not yet kept; kept at once when the view is left or the text cleared.
  const settling = useRef<(() => void) | null>(null);
  useEffect(() => () => settling.current?.(), []);

  useEffect(() => {
    if (!text.trim()) {
      settling.current?.();
      setResult(null);
      setError("");
      return;
    }
    settling.current = null; // another text: the one before was not what the person meant to write
    // Aborted when the text changes: an older answer can never overtake a newer one.
    const abort = new AbortController();
    let settled: ReturnType<typeof setTimeout> | undefined;
    const timer = setTimeout(async () => {
      setBusy(true);
      try {
        const found = await ask(text, abort.signal);
        setResult(found);
        setError("");
        const { whole } = found;
        if (isProblem(whole)) return;
        const keep = () => {
          settling.current = null;
          clearTimeout(settled);
          void remember(text, whole);
        };
        settling.current = keep;
        settled = setTimeout(keep, SETTLED_MS - PAUSE_MS);
      } catch (cause) {
        if (!abort.signal.aborted) setError(cause instanceof ServiceError ? cause.message : String(cause));
      } finally {
        if (!abort.signal.aborted) setBusy(false);
      }
    }, PAUSE_MS);
    return () => {
      abort.abort();
      clearTimeout(timer);
      clearTimeout(settled);
    };
  }, [text, choice.value?.name]);

  return (
    <section aria-labelledby="live-title">
      <h1 id="live-title">{t("liveTitle")}</h1>
      <div class="columns">
        <div class="card">
          <Input />
          <h2>{t("examples")}</h2>
          <ul class="examples">
            {EXAMPLES.map((example) => (
              <li key={example}>
                <button type="button" class="chip" lang="zh-CN" onClick={() => (liveText.value = example)}>
                  {example}
                </button>
              </li>
            ))}
          </ul>
        </div>
        <div class="card" aria-live="polite" aria-busy={busy}>
          {error && <p class="alert">{error}</p>}
          {result && text.trim() ? <Shown result={result} /> : !error && <p class="empty">{t("liveEmpty")}</p>}
        </div>
      </div>
    </section>
  );
}

async function ask(text: string, abort: AbortSignal): Promise<Result> {
  const pieces = clauses(text);
  const parts = pieces.length > 1 ? pieces : [];
  const begin = performance.now();
  const [whole, ...rest] = await analyze([text, ...parts], abort);
  const ms = performance.now() - begin;
  return { text, whole: whole!, ms, parts: parts.map((part, i) => ({ text: part, answer: rest[i]! })) };
}

function Input() {
  const area = useRef<HTMLTextAreaElement>(null);
  const text = liveText.value;
  const most = info.value?.limits.max_text_length;
  const length = [...text].length;
  return (
    <>
      <label for="live-text" class="label">
        {t("textLabel")}
      </label>
      <textarea
        id="live-text"
        ref={area}
        rows={6}
        autofocus
        value={text}
        placeholder={t("textPlaceholder")}
        aria-describedby="live-count"
        onInput={(event) => (liveText.value = event.currentTarget.value)}
      />
      <div class="row">
        <span id="live-count" class={most && length > most ? "hint bad" : "hint"}>
          {most ? t("lengthOf", { n: number(length), most: number(most) }) : number(length)}
        </span>
        <span class="spring" />
        <button
          type="button"
          class="quiet"
          disabled={!text}
          onClick={() => {
            liveText.value = "";
            area.current?.focus();
          }}
        >
          {t("clear")}
        </button>
      </div>
    </>
  );
}

function Shown({ result }: { result: Result }) {
  const { whole, parts, text, ms } = result;
  const base = document.baseURI;
  return (
    <>
      {isProblem(whole) ? <p class="alert">{t("notAnswered", { why: whole.message })}</p> : <Verdict answer={whole} ms={ms} />}
      {parts.length > 0 && (
        <>
          <h2>{t("clauses")}</h2>
          <p class="clauses" lang="zh-CN">
            {parts.map((part, index) => (
              <Clause key={index} {...part} />
            ))}
          </p>
          <p class="hint">{t("clausesHint")}</p>
        </>
      )}
      <div class="row">
        <CopyButton text={() => curl(base, text, hasKey(), choice.value?.name)}>{t("copyCurl")}</CopyButton>
        <CopyButton text={() => python(base, text, hasKey(), choice.value?.name)}>{t("copyPython")}</CopyButton>
      </div>
      {hasKey() && <p class="hint">{t("copyKey", { variable: KEY_VARIABLE })}</p>}
    </>
  );
}

function Verdict({ answer, ms }: { answer: Answer; ms: number }) {
  const band = model.value?.neutral;
  const values = { low: percent(band?.low ?? 0, 0), high: percent(band?.high ?? 0, 0) };
  return (
    <>
      <p class="verdict">
        <Tag label={answer.label} />
        <strong class="number">{percent(answer.confidence)}</strong>
        <span class="hint">{t("confidence")}</span>
        <span class="spring" />
        <span class="hint number" title={t("msHint")}>
          {number(Math.max(1, Math.round(ms)))} ms
        </span>
      </p>
      <Bar share={answer.confidence} kind={answer.label} name={t("confidence")} />
      {answer.truncated && <p class="alert">{t("truncated", { tokens: model.value?.max_tokens ?? "" })}</p>}
      <h2>{t("probabilities")}</h2>
      <Probabilities answer={answer} />
      {band && band.high > band.low && (
        <p class="hint">{t(answer.label === "neutral" ? "neutralIs" : "neutralBand", values)}</p>
      )}
    </>
  );
}

function Clause({ text, answer }: { text: string; answer: Answer | Problem }) {
  if (isProblem(answer)) return <span>{text}</span>;
  const says = `${t(answer.label)} ${percent(answer.confidence, 0)}`;
  return (
    <span class={`clause ${answer.label}`} title={says}>
      {text}
      <span class="clause-sign">
        <span aria-hidden="true">{SIGNS[answer.label]}</span>
        <span class="off-screen"> ({says}) </span>
      </span>
    </span>
  );
}
