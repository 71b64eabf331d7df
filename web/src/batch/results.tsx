// Progress, table, charts and export of one file.
import { useEffect, useMemo, useState } from "preact/hooks";
import { LabelFilter } from "../history.tsx";
import { locale, number, percent, t } from "../i18n.ts";
import type { Label } from "../sentiment.ts";
import { Charts } from "./charts.tsx";
import { ExportButtons } from "./exporting.tsx";
import { KEPT_DAYS } from "./kept.ts";
import type { Loaded } from "./reading.ts";
import type { Run } from "./run.ts";
import type { Results } from "./session.ts";
import { ResultTable } from "./table.tsx";
import { type Filter, select, type Sort } from "./table-data.ts";

const REFRESH_MS = 1000;

export function ResultsStep({ results }: { results: Results }) {
  const { data, run, loaded, keeper } = results;
  const [filter, setFilter] = useState<Filter>({ label: "", search: "" });
  const [sort, setSort] = useState<Sort>("file");
  const [tab, setTab] = useState<"table" | "charts">("table");
  const finished = run.progress.value.phase === "done";
  // The table's order and the charts follow the answers, but not each of them.
  const [tick, setTick] = useState(0);
  useEffect(() => {
    setTick((n) => n + 1);
    if (finished) return undefined;
    const timer = setInterval(() => setTick((n) => n + 1), REFRESH_MS);
    return () => clearInterval(timer);
  }, [finished]);
  const rows = useMemo(() => select(data, filter, sort), [data, filter, sort, tick]);

  return (
    <>
      <ProgressCard run={run} failed={data.problems.size} />
      {run.model && <p class="hint">{t("answeredBy", { model: run.model })}</p>}
      <Troubles loaded={loaded} />
      {keeper.holds.value !== undefined && (
        <p class="hint">{t(keeper.holds.value ? "isKept" : "notKept", { days: KEPT_DAYS })}</p>
      )}
      <div class="row tools">
        <div class="tabs" role="group" aria-label={t("shownAs")}>
          {(["table", "charts"] as const).map((name) => (
            <button key={name} type="button" aria-pressed={tab === name} onClick={() => setTab(name)}>
              {t(name)}
            </button>
          ))}
        </div>
        <LabelFilter
          value={filter.label === "error" ? "" : filter.label}
          onChange={(label: Label | "") => setFilter({ ...filter, label })}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={filter.label === "error"}
            onChange={(event) => setFilter({ ...filter, label: event.currentTarget.checked ? "error" : "" })}
          />
          {t("onlyErrors", { n: number(data.problems.size) })}
        </label>
        <input
          type="search"
          aria-label={t("search")}
          placeholder={t("search")}
          value={filter.search}
          onInput={(event) => setFilter({ ...filter, search: event.currentTarget.value })}
        />
        <label class="inline">
          {t("order")}
          <select value={sort} onChange={(event) => setSort(event.currentTarget.value as Sort)}>
            <option value="file">{t("asInFile")}</option>
            <option value="positive">{t("mostPositive")}</option>
            <option value="negative">{t("mostNegative")}</option>
            <option value="unsure">{t("leastSure")}</option>
          </select>
        </label>
        <span class="spring" />
        <span class="hint" role="status">
          {t("shownOf", { n: number(rows.length), all: number(data.length) })}
        </span>
      </div>
      {tab === "table" ? (
        <ResultTable data={data} rows={rows} tick={tick} />
      ) : (
        <Charts data={data} rows={rows} tick={tick} finished={finished} />
      )}
      <ExportButtons data={data} rows={rows} />
    </>
  );
}

function ProgressCard({ run, failed }: { run: Run; failed: number }) {
  const { phase, done, total, rate, message } = run.progress.value;
  const left = rate > 0 ? (total - done) / rate : 0;
  return (
    <div class="card progress" data-phase={phase}>
      <div class="row">
        <strong role="status">{t(`phase_${phase}`)}</strong>
        <span class="number">
          {number(done)} / {number(total)} · {percent(total ? done / total : 1, 0)}
        </span>
        {phase === "running" && rate > 0 && (
          <span class="hint number">
            {t("rate", { rate: number(Math.round(rate)) })} · {t("left", { time: duration(left) })}
          </span>
        )}
        {failed > 0 && <span class="hint bad">{t("failedRows", { n: number(failed) })}</span>}
        <span class="spring" />
        {phase === "waiting" && (
          <button type="button" onClick={() => run.retryNow()}>
            {t("retryNow")}
          </button>
        )}
        {(phase === "running" || phase === "waiting") && (
          <button type="button" onClick={() => run.stop()}>
            {t("stop")}
          </button>
        )}
        {(phase === "stopped" || phase === "failed") && done < total && (
          <button type="button" class="primary" onClick={() => void run.start()}>
            {t("resume")}
          </button>
        )}
      </div>
      <progress max={total} value={done} aria-label={t("progress")} />
      {message && <p class={phase === "failed" ? "alert" : "note"}>{message}</p>}
    </div>
  );
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const unit = (value: number, name: string) =>
    value.toLocaleString(locale(), { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: 0 });
  return minutes ? `${unit(minutes, "minute")} ${unit(seconds % 60, "second")}` : unit(Math.ceil(seconds), "second");
}

/** What was wrong with the file's lines. */
function Troubles({ loaded }: { loaded: Loaded }) {
  const { troubles, troubleCount, emptyRows } = loaded;
  return (
    <>
      {emptyRows > 0 && <p class="hint">{t("emptyRows", { n: number(emptyRows) })}</p>}
      {troubleCount > 0 && (
        <details class="note">
          <summary>{t("troubles", { n: number(troubleCount) })}</summary>
          <ul>
            {troubles.slice(0, 100).map((trouble, index) => (
              <li key={index}>{t(trouble.code, { line: number(trouble.line) })}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
