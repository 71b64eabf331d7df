// The rows that are in sight, and no others: 100,000 rows cost no more than forty.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { number, percent, t } from "../i18n.ts";
import { Tag } from "../parts.tsx";
import type { TableData } from "./table-data.ts";

const ROW = 40; // pixels, as in style.css
const SPARE = 10;
const OTHERS = 4; // original columns beside the text

export function ResultTable({ data, rows, tick }: { data: TableData; rows: Uint32Array; tick: number }) {
  const box = useRef<HTMLDivElement>(null);
  const [from, setFrom] = useState(0);
  const [height, setHeight] = useState(600);
  const [open, setOpen] = useState<number | null>(null);
  const [current, setCurrent] = useState(0);
  const focusWanted = useRef(false);
  useEffect(() => {
    const element = box.current!;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    box.current!.scrollTop = 0;
    setFrom(0);
    setCurrent(0);
  }, [rows.length]);
  /** Focus a row; later, when it is out of sight and not drawn yet. */
  const focusRow = (at: number) => {
    const button = box.current!.querySelector<HTMLElement>(`[data-at="${at}"] button`);
    button?.focus({ preventScroll: true });
    focusWanted.current = !button;
  };
  useLayoutEffect(() => {
    if (focusWanted.current) focusRow(current);
  }, [current, from]);

  /** Arrow keys go from row to row, so that Tab leads past the table however long it is. */
  const move = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(height / ROW) - 2);
    const steps: Record<string, number> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: rows.length - 1,
    };
    const wanted = steps[event.key];
    if (wanted === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const to = Math.min(Math.max(wanted, 0), rows.length - 1);
    const { scrollTop } = box.current!;
    // The head stays in sight and takes the height of a row.
    box.current!.scrollTop = Math.max(Math.min(scrollTop, to * ROW), (to + 2) * ROW - height);
    focusRow(to); // at once, for whoever presses Enter at once
    setFrom(box.current!.scrollTop);
    setCurrent(to);
  };

  const first = Math.max(0, Math.floor(from / ROW) - SPARE);
  const shown = rows.subarray(first, first + Math.ceil(height / ROW) + 2 * SPARE);
  const others = data.columns.map((_, index) => index).filter((index) => index !== data.textColumn).slice(0, OTHERS);
  void tick; // drawn again with new answers

  return (
    <>
      <div
        ref={box}
        class="results"
        role="region"
        aria-label={t("table")}
        tabIndex={0}
        onKeyDown={move}
        onScroll={(event) => setFrom(event.currentTarget.scrollTop)}
      >
        <div class="grid" role="table" aria-rowcount={rows.length + 1} aria-label={data.name}>
          <div role="row" class="grid-row grid-head" aria-rowindex={1}>
            <span role="columnheader">{t("rowNumber")}</span>
            <span role="columnheader">{t("sentiment")}</span>
            <span role="columnheader">{t("confidence")}</span>
            <span role="columnheader" class="wide">
              {data.columns[data.textColumn]}
            </span>
            {others.map((column) => (
              <span role="columnheader" key={column}>
                {data.columns[column]}
              </span>
            ))}
          </div>
          <Space height={first * ROW} />
          {[...shown].map((row, index) => (
            <div
              role="row"
              key={row}
              class="grid-row"
              aria-rowindex={first + index + 2}
              data-at={first + index}
              onClick={() => {
                setCurrent(first + index);
                setOpen(row);
              }}
            >
              <span role="cell" class="number">
                {number(row + 1)}
              </span>
              <Outcome data={data} row={row} />
              <span role="cell" class="wide">
                <button type="button" class="cell-button" tabIndex={first + index === current ? 0 : -1}>
                  {data.text(row).slice(0, 300) || "–"}
                </button>
              </span>
              {others.map((column) => (
                <span role="cell" key={column}>
                  {(data.rows[row]![column] ?? "").slice(0, 100)}
                </span>
              ))}
            </div>
          ))}
          <Space height={(rows.length - first - shown.length) * ROW} />
        </div>
        {rows.length === 0 && <p class="empty">{t("nothingFound")}</p>}
      </div>
      {open !== null && <RowDialog data={data} row={open} onClose={() => setOpen(null)} />}
    </>
  );
}

/** Empty height; set through the DOM, as a style attribute would be inline style. */
function Space({ height }: { height: number }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    element.current!.style.height = `${height}px`;
  }, [height]);
  return <div ref={element} role="presentation" />;
}

function Outcome({ data, row }: { data: TableData; row: number }) {
  const label = data.label(row);
  const problem = data.problems.get(row);
  if (problem)
    return (
      <>
        <span role="cell" class="bad">
          {t("error")}
        </span>
        <span role="cell" class="bad" title={problem.message}>
          {problem.code}
        </span>
      </>
    );
  return (
    <>
      <span role="cell">{label ? <Tag label={label} /> : "…"}</span>
      <span role="cell" class="number">
        {label ? percent(data.confidence(row)) : ""}
        {data.truncated(row) && <abbr title={t("truncatedShort")}> ✂</abbr>}
      </span>
    </>
  );
}

/** All of one row. */
function RowDialog({ data, row, onClose }: { data: TableData; row: number; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const label = data.label(row);
  const problem = data.problems.get(row);
  return (
    <dialog ref={dialog} aria-label={t("rowN", { n: number(row + 1) })} onClose={onClose}>
      <h2>{t("rowN", { n: number(row + 1) })}</h2>
      {label && (
        <p>
          <Tag label={label} /> <strong class="number">{percent(data.confidence(row))}</strong>
        </p>
      )}
      {problem && (
        <p class="alert">
          {problem.code}: {problem.message}
        </p>
      )}
      <dl class="facts scroll" tabIndex={0}>
        {data.columns.map((name, column) => (
          <div key={column}>
            <dt>{name}</dt>
            <dd>{data.rows[row]![column] || "–"}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog" class="row">
        <button type="submit" class="primary">
          {t("close")}
        </button>
      </form>
    </dialog>
  );
}
