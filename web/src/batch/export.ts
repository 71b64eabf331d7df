// A table with its answers as a file. Pure; runs in a worker.
import type { CellValue, WriteSheet } from "hucre/xlsx";
import { type Label, LABELS } from "../sentiment.ts";
import { type ColumnType, columnType, toDate } from "./sniff.ts";

export type FileFormat = "xlsx" | "csv" | "json";

/** One row's answer, or why it has none. */
export interface Outcome {
  label: Label | null;
  confidence: number;
  positive: number;
  truncated: boolean;
  problem: string;
}

/** The words of the file, in the page's language. */
export interface Headings {
  labels: Record<Label, string>;
  columns: [sentiment: string, confidence: string, positive: string, truncated: string, problem: string];
  results: string;
  summary: string;
  count: string;
  share: string;
  failed: string;
  rows: string;
  yes: string;
}

export interface Table {
  columns: string[];
  rows: string[][];
  outcomes: Outcome[];
}

const XLSX_CELL = 32_767;

/**
 * Keeps a spreadsheet from running a cell: OWASP's rule, full width included; a plain number stays a number.
 * Also inside the cell: a spreadsheet that takes `;` for the delimiter begins new cells there.
 */
export function harmless(cell: string): string {
  if (/^-?\d+(\.\d+)?$/.test(cell)) return cell;
  return cell.replace(/^(?=[=+\-@\t\r\n＝＋－＠])|(?<=[;\t\r\n])(?=[=+\-@＝＋－＠])/g, "'");
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

const rounded = (value: number) => Math.round(value * 1e4) / 1e4;

/** With a byte-order mark, without which Excel takes UTF-8 for the system's code page. */
export function* csv(table: Table, words: Headings): Generator<string> {
  const line = (cells: string[]) => `${cells.map((cell) => quoted(harmless(cell))).join(",")}\r\n`;
  yield `\ufeff${line([...table.columns, ...words.columns])}`;
  for (const [index, row] of table.rows.entries()) {
    const { label, confidence, positive, truncated, problem } = table.outcomes[index]!;
    const answer = label
      ? [words.labels[label], String(rounded(confidence)), String(rounded(positive)), truncated ? words.yes : "", ""]
      : ["", "", "", "", problem];
    yield line([...table.columns.map((_, column) => row[column] ?? ""), ...answer]);
  }
}

export function* json(table: Table): Generator<string> {
  let name = "analysis";
  while (table.columns.includes(name)) name += "_";
  yield "[";
  for (const [index, row] of table.rows.entries()) {
    const { label, confidence, positive, truncated, problem } = table.outcomes[index]!;
    const original = Object.fromEntries(table.columns.map((column, at) => [column, row[at] ?? ""]));
    const answer = label
      ? { sentiment: label, confidence: rounded(confidence), positive: rounded(positive), truncated }
      : { error: problem };
    yield `${index ? ",\n" : "\n"}${JSON.stringify({ ...original, [name]: answer })}`;
  }
  yield "\n]\n";
}

/** A summary with a chart, and all rows with a filter. Strings are cells of text, so nothing in them runs. */
export async function xlsx(table: Table, words: Headings): Promise<Uint8Array> {
  const { writeXlsx, colToLetter } = await import("hucre/xlsx");
  const width = table.columns.length + words.columns.length;
  const types = table.columns.map((_, column) => columnType(cells(table.rows, column)));
  const rows: CellValue[][] = [[...table.columns, ...words.columns].map(clean)];
  for (const [index, row] of table.rows.entries()) {
    const { label, confidence, positive, truncated, problem } = table.outcomes[index]!;
    rows.push([
      ...types.map((type, column) => typed(row[column] ?? "", type)),
      ...(label
        ? [words.labels[label], rounded(confidence), rounded(positive), truncated ? words.yes : null, null]
        : [null, null, null, null, clean(problem)]),
    ]);
  }
  const at = table.columns.length;
  const results: WriteSheet = {
    name: words.results,
    rows,
    columns: Array.from({ length: width }, (_, column) => ({
      width: column < at ? (types[column] === "text" ? 30 : 14) : 14,
      ...(types[column] === "date" ? { numFmt: "yyyy-mm-dd hh:mm" } : {}),
      ...(column === at + 1 || column === at + 2 ? { numFmt: "0.0%" } : {}),
    })),
    freezePane: { rows: 1 },
    autoFilter: { range: `A1:${colToLetter(width - 1)}${rows.length}` },
  };
  return writeXlsx({ sheets: [summary(table, words), results] });
}

function summary(table: Table, words: Headings): WriteSheet {
  const all = table.rows.length;
  const count = (label: Label | null) => table.outcomes.filter((outcome) => outcome.label === label).length;
  const line = (name: string, n: number) => [name, n, all ? n / all : 0];
  return {
    name: words.summary,
    rows: [
      [words.columns[0], words.count, words.share],
      ...LABELS.map((label) => line(words.labels[label], count(label))),
      line(words.failed, count(null)),
      [words.rows, all, null],
    ],
    columns: [{ width: 18 }, { width: 12 }, { width: 12, numFmt: "0.0%" }],
    charts: [
      {
        type: "column",
        title: words.summary,
        series: [{ name: words.count, values: "B2:B4", categories: "A2:A4", color: "0072B2" }],
        anchor: { from: { row: 0, col: 4 }, to: { row: 18, col: 12 } },
      },
    ],
  };
}

function* cells(rows: string[][], column: number): Generator<string> {
  for (const row of rows) yield row[column] ?? "";
}

function typed(cell: string, type: ColumnType): CellValue {
  if (!cell.trim()) return cell || null;
  if (type === "number") return Number(cell);
  if (type === "date") return toDate(cell);
  return clean(cell);
}

/** What an XML file can hold, in the length that Excel takes. */
function clean(cell: string): string {
  return cell.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").toWellFormed().slice(0, XLSX_CELL);
}
