// Charts of the rows that the filter lets through. The chart library is loaded when they are first shown.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { language, number, percent, t } from "../i18n.ts";
import { Tag } from "../parts.tsx";
import { LABELS } from "../sentiment.ts";
import { isDark } from "../theme.ts";
import type * as draw from "./draw.ts";
import { download } from "./exporting.tsx";
import { categoryColumns, columnType } from "./sniff.ts";
import * as stats from "./stats.ts";
import type { TableData } from "./table-data.ts";

type Library = typeof draw;
type Series = draw.Series;

interface Props {
  data: TableData;
  rows: Uint32Array;
  tick: number;
  finished: boolean;
}

export function Charts({ data, rows, tick, finished }: Props) {
  const dates = useMemo(
    () => data.columns.map((_, i) => i).filter((i) => columnType(data.rows.slice(0, 500).map((row) => row[i] ?? "")) === "date"),
    [data],
  );
  const categories = useMemo(
    () => categoryColumns(data.columns, data.rows, data.textColumn).filter((i) => !dates.includes(i)),
    [data],
  );
  const [date, setDate] = useState(dates[0] ?? -1);
  const [category, setCategory] = useState(categories[0] ?? -1);
  const [library, setLibrary] = useState<Library | null>(null);
  const [lost, setLost] = useState(false);
  const load = () => {
    setLost(false);
    import("./draw.ts").then(setLibrary, () => setLost(true));
  };
  useEffect(load, []);
  const of = (make: () => Series) => useMemo(make, [data, rows, tick, language.value, date, category]);

  const shares = of(() => {
    const counts = stats.distribution(data, rows);
    return { groups: LABELS.map((label) => ({ name: t(label), counts: { ...NONE, [label]: counts[label] } })) };
  });
  const sure = of(() => ({ groups: stats.confidenceHistogram(data, rows) }));
  const lengths = of(() => ({ groups: stats.byLength(data, rows) }));
  const time = of(() => ({ groups: date < 0 ? [] : stats.overTime(data, rows, date) }));
  const classes = of(() => ({
    groups: category < 0 ? [] : stats.byCategory(data, rows, category, t("others")),
    share: true,
  }));

  return (
    <div class="charts">
      {lost && (
        <p class="alert row" role="alert">
          {t("chartsLost")}
          <button type="button" onClick={load}>
            {t("retryNow")}
          </button>
        </p>
      )}
      <Chart library={library} title={t("distribution")} series={shares} />
      <Chart library={library} title={t("confidenceHistogram")} series={sure} />
      {date >= 0 && (
        <Chart library={library} title={t("overTime")} series={time}>
          <Pick name={t("dateColumn")} value={date} columns={dates} data={data} onChange={setDate} />
        </Chart>
      )}
      {category >= 0 && (
        <Chart library={library} title={t("byCategory")} series={classes}>
          <Pick name={t("categoryColumn")} value={category} columns={categories} data={data} onChange={setCategory} />
        </Chart>
      )}
      <Chart library={library} title={t("byLength")} series={lengths} />
      <Words library={library} data={data} rows={rows} ready={finished} />
      <Extremes data={data} rows={rows} tick={tick} />
    </div>
  );
}

const NONE = { positive: 0, neutral: 0, negative: 0 };

function Pick(props: { name: string; value: number; columns: number[]; data: TableData; onChange: (column: number) => void }) {
  return (
    <select
      aria-label={props.name}
      value={props.value}
      onChange={(event) => props.onChange(Number(event.currentTarget.value))}
    >
      {props.columns.map((column) => (
        <option key={column} value={column}>
          {props.data.columns[column]}
        </option>
      ))}
    </select>
  );
}

function Chart(props: { library: Library | null; title: string; series: Series; children?: preact.ComponentChildren }) {
  const { library, title, series, children } = props;
  const box = useRef<HTMLDivElement>(null);
  const [drawing, setDrawing] = useState<draw.Drawing | null>(null);
  const [theme, setTheme] = useState(isDark);
  useEffect(() => {
    const follow = () => setTheme(isDark());
    const media = matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", follow);
    addEventListener("themechange", follow);
    return () => {
      media.removeEventListener("change", follow);
      removeEventListener("themechange", follow);
    };
  }, []);
  useEffect(() => {
    if (!library) return undefined;
    const made = new library.Drawing(box.current!);
    setDrawing(made);
    return () => made.close();
  }, [library]);
  useEffect(() => drawing?.show(title, series, theme), [drawing, title, series, theme]);
  const name = title.replace(/\s+/g, "-");
  return (
    <figure class="card chart">
      <figcaption class="row">
        <h2>{title}</h2>
        {children}
        <span class="spring" />
        <button
          type="button"
          class="quiet"
          aria-label={`${title}: PNG`}
          disabled={!drawing}
          onClick={async () => download(await drawing!.png(), `${name}.png`)}
        >
          PNG
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`${title}: SVG`}
          disabled={!drawing}
          onClick={async () => download(await drawing!.svg(), `${name}.svg`)}
        >
          SVG
        </button>
      </figcaption>
      <div class={series.words ? "canvas tall" : "canvas"} ref={box} role="img" aria-label={describe(title, series)} />
      <details>
        <summary>{t("asNumbers")}</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title}: ${t("asNumbers")}`}>
          <table>
            <thead>
              <tr>
                <th scope="col">{title}</th>
                {series.words ? <th scope="col">z</th> : LABELS.map((label) => <th key={label} scope="col">{t(label)}</th>)}
              </tr>
            </thead>
            <tbody>
              {series.words?.map(({ word, z }) => (
                <tr key={word}>
                  <th scope="row">{word}</th>
                  <td>{z.toFixed(1)}</td>
                </tr>
              ))}
              {series.groups?.map((group) => (
                <tr key={group.name}>
                  <th scope="row">{group.name}</th>
                  {LABELS.map((label) => (
                    <td key={label}>{number(group.counts[label])}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function describe(title: string, series: Series): string {
  const parts = series.words
    ? series.words.map(({ word, z }) => `${word} ${z.toFixed(1)}`)
    : (series.groups ?? []).filter(({ counts }) => stats.total(counts)).map(({ name, counts }) => `${name}: ${number(stats.total(counts))}`);
  return `${title}. ${parts.slice(0, 20).join(", ")}`;
}

function Words({ library, data, rows, ready }: { library: Library | null; data: TableData; rows: Uint32Array; ready: boolean }) {
  const [series, setSeries] = useState<Series>({ words: [] });
  const [texts, setTexts] = useState(0);
  useEffect(() => {
    if (!ready) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      void stats.separatingWords(data, rows, abort.signal).then(
        ({ words, texts }) => {
          setSeries({ words });
          setTexts(texts);
        },
        () => undefined, // another filter came
      );
    }, 300);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [data, rows, ready]);
  return (
    <div>
      <Chart library={library} title={t("separatingWords")} series={series} />
      <p class="hint">{ready ? t("wordsHint", { n: number(texts) }) : t("wordsLater")}</p>
    </div>
  );
}

function Extremes({ data, rows, tick }: { data: TableData; rows: Uint32Array; tick: number }) {
  const found = useMemo(
    () => (["positive", "negative"] as const).map((label) => ({ label, best: stats.extremes(data, rows, label) })),
    [data, rows, tick],
  );
  return (
    <>
      {found.map(({ label, best }) => (
        <div class="card" key={label}>
          <h2>{t(label === "positive" ? "mostPositive" : "mostNegative")}</h2>
          <ol class="extremes">
            {best.map((row) => (
              <li key={row}>
                <Tag label={label} /> <span class="number">{percent(data.confidence(row))}</span>{" "}
                <span lang="zh-CN">{data.text(row).slice(0, 200)}</span>
              </li>
            ))}
          </ol>
          {best.length === 0 && <p class="hint">{t("nothingFound")}</p>}
        </div>
      ))}
    </>
  );
}
