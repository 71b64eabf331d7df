// What was analysed in this browser: search, filter, compare, delete.
import { useEffect, useState } from "preact/hooks";
import { dateTime, number, percent, t } from "./i18n.ts";
import { liveText } from "./live.tsx";
import { Probabilities, Tag } from "./parts.tsx";
import { go } from "./route.ts";
import { type Label, LABELS } from "./sentiment.ts";
import { entries, type Entry, forget, loadEntries, MOST } from "./store.ts";

export function History() {
  const [search, setSearch] = useState("");
  const [label, setLabel] = useState<Label | "">("");
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  useEffect(() => void loadEntries(), []);

  const all = entries.value;
  if (all === undefined) return <p class="empty">{t("reading")}</p>;
  const wanted = search.trim().toLowerCase();
  const shown = (all ?? []).filter(
    (entry) => (!label || entry.label === label) && (!wanted || entry.text.toLowerCase().includes(wanted)),
  );
  const selected = (all ?? []).filter((entry) => chosen.has(entry.id));
  const toggle = (id: number) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const remove = async (ids: number[] | "all") => {
    if (ids === "all" && !confirm(t("deleteAllSure"))) return;
    await forget(ids);
    setChosen(new Set());
  };

  return (
    <section aria-labelledby="history-title">
      <h1 id="history-title">{t("history")}</h1>
      <p class="hint">{all === null ? t("historyOff") : t("historyHint", { most: number(MOST) })}</p>
      <div class="row tools">
        <input
          type="search"
          value={search}
          aria-label={t("search")}
          placeholder={t("search")}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <LabelFilter value={label} onChange={setLabel} />
        <span class="spring" />
        <span class="hint" role="status">
          {t("shownOf", { n: number(shown.length), all: number(all?.length ?? 0) })}
        </span>
        <button type="button" disabled={!selected.length} onClick={() => remove([...chosen])}>
          {t("deleteChosen", { n: number(selected.length) })}
        </button>
        <button type="button" disabled={!all?.length} onClick={() => remove("all")}>
          {t("deleteAll")}
        </button>
      </div>
      {selected.length > 1 && <Comparison selected={selected} />}
      {shown.length === 0 && <p class="empty">{t(all?.length ? "nothingFound" : "historyEmpty")}</p>}
      <ul class="entries">
        {shown.map((entry) => (
          <li key={entry.id} class="card entry">
            <input
              type="checkbox"
              checked={chosen.has(entry.id)}
              aria-label={t("compareThis", { text: entry.text.slice(0, 40) })}
              onChange={() => toggle(entry.id)}
            />
            <Tag label={entry.label} />
            <span class="number">{percent(entry.confidence)}</span>
            <span class="entry-text" lang="zh-CN">
              {entry.text}
            </span>
            <time class="hint" dateTime={new Date(entry.at).toISOString()}>
              {dateTime(entry.at)}
            </time>
            <button
              type="button"
              class="quiet"
              aria-label={`${t("again")}: ${entry.text.slice(0, 40)}`}
              onClick={() => {
                liveText.value = entry.text;
                go("live");
              }}
            >
              {t("again")}
            </button>
            <button
              type="button"
              class="quiet"
              aria-label={`${t("delete")}: ${entry.text.slice(0, 40)}`}
              onClick={() => remove([entry.id])}
            >
              {t("delete")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function LabelFilter({ value, onChange }: { value: Label | ""; onChange: (label: Label | "") => void }) {
  return (
    <select
      aria-label={t("filterLabel")}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value as Label | "")}
    >
      <option value="">{t("allLabels")}</option>
      {LABELS.map((label) => (
        <option key={label} value={label}>
          {t(label)}
        </option>
      ))}
    </select>
  );
}

function Comparison({ selected }: { selected: Entry[] }) {
  return (
    <div class="comparison" role="group" aria-label={t("comparison")}>
      {selected.map((entry) => (
        <article key={entry.id} class="card">
          <p>
            <Tag label={entry.label} /> <strong class="number">{percent(entry.confidence)}</strong>
          </p>
          <p lang="zh-CN">{entry.text}</p>
          <Probabilities answer={entry} />
        </article>
      ))}
    </div>
  );
}
