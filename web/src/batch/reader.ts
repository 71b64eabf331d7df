// Any accepted file to rows of cells, in order, with what is wrong told by line.
import { CsvReader } from "./csv.ts";
import { sniffDelimiter, sniffEncoding } from "./sniff.ts";
import { type Format, MAX_CHARACTERS, MAX_COLUMNS, MAX_INFLATED, MAX_ROWS, type Refusal, type Trouble } from "./types.ts";
import { checkZip, NotZipError, ZipBombError } from "./zip-check.ts";

const SAMPLE = 256 << 10;
/** A preview reads no more, however few rows that gives. */
const PREVIEW_BYTES = 8 << 20;
/** What a cell takes beside its characters, counted as such. */
const CELL = 8;

export class RefusedError extends Error {
  readonly why: Refusal;
  constructor(why: Refusal, detail = "") {
    super(detail);
    this.why = why;
  }
}

export interface Opened {
  format: Format;
  sheets: string[];
  macros: boolean;
}

/** What the file is, as far as its first bytes and its name tell; `wanted` is the person's choice. */
export async function open(file: File, wanted?: Format): Promise<Opened> {
  if (file.size === 0) throw new RefusedError("emptyFile");
  const bytes = new Uint8Array(await file.slice(0, SAMPLE).arrayBuffer());
  const [a, b, c, d] = bytes;
  if (a === 0xd0 && b === 0xcf && c === 0x11 && d === 0xe0) throw new RefusedError("oldExcel");
  if (a === 0x50 && b === 0x4b) return openWorkbook(file, wanted);
  if (/\.(xlsx|xlsm|xls)$/i.test(file.name)) throw new RefusedError("notWorkbook");
  const encoding = wanted?.encoding ?? sniffEncoding(bytes);
  const text = new TextDecoder(encoding).decode(bytes, { stream: true });
  const jsonl = /\.(jsonl|ndjson)$/i.test(file.name) || /^\s*\{\s*"/.test(text);
  const plain = /\.txt$/i.test(file.name);
  const delimiter = wanted?.delimiter ?? (jsonl || plain ? "" : sniffDelimiter(text) || byName(file.name, text));
  return { format: { kind: jsonl ? "jsonl" : "delimited", encoding, delimiter, sheet: "" }, sheets: [], macros: false };
}

/** Where the lines are too uneven to tell: what the name promises, if quotes or the first line bear it out. */
function byName(name: string, text: string): string {
  const delimiter = /\.csv$/i.test(name) ? "," : /\.tsv$/i.test(name) ? "\t" : "";
  return text.includes('"') || text.split(/[\r\n]/, 1)[0]!.includes(delimiter) ? delimiter : "";
}

async function openWorkbook(file: File, wanted?: Format): Promise<Opened> {
  const facts = await guarded(() => checkZip(file, MAX_INFLATED));
  const { readXlsx } = await import("hucre/xlsx");
  const sheets: string[] = [];
  await guarded(async () =>
    readXlsx(await file.arrayBuffer(), {
      sheets: (info) => {
        if (!info.veryHidden) sheets.push(info.name);
        return false;
      },
    }),
  );
  if (!sheets.length) throw new RefusedError("notWorkbook");
  const sheet = wanted?.sheet && sheets.includes(wanted.sheet) ? wanted.sheet : sheets[0]!;
  const macros = facts.names.some((name) => /vbaProject\.bin$/i.test(name));
  return { format: { kind: "xlsx", encoding: "utf-8", delimiter: "", sheet }, sheets, macros };
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    if (error instanceof ZipBombError) throw new RefusedError("zipBomb");
    throw new RefusedError("notWorkbook", error instanceof NotZipError ? "" : String(error).slice(0, 200));
  }
}

export interface Sink {
  row(cells: string[]): void;
  trouble(trouble: Trouble): void;
  /** Bytes read so far. */
  progress(bytes: number): void;
}

export interface Counts {
  keys: string[];
  emptyRows: number;
}

/** Read at most `most` rows. Empty rows are left out and counted. */
export async function read(file: File, format: Format, sink: Sink, most = Infinity): Promise<Counts> {
  const counts: Counts = { keys: [], emptyRows: 0 };
  let rows = 0;
  let characters = 0;
  const take = (cells: string[], line: number) => {
    if (cells.every((cell) => !cell.trim())) {
      counts.emptyRows += 1;
      return;
    }
    if (rows >= most) return;
    if (cells.length > MAX_COLUMNS) {
      // Of a workbook these may be cells that hold nothing but a format.
      cells.length = cells.findLastIndex((cell) => cell.trim()) + 1;
      if (cells.length > MAX_COLUMNS) return sink.trouble({ line, code: "tooWide" });
    }
    rows += 1;
    if (cells.some((cell) => cell.includes("\ufffd"))) sink.trouble({ line, code: "undecodable" });
    for (const cell of cells) characters += cell.length + CELL;
    if (rows > MAX_ROWS) throw new RefusedError("tooManyRows");
    if (characters > MAX_CHARACTERS) throw new RefusedError("tooMuchText");
    sink.row(cells);
  };
  if (format.kind === "xlsx") {
    await readWorkbook(file, format.sheet, take, most);
    return counts;
  }
  const lines = format.kind === "jsonl" ? new JsonLines(counts.keys, take, sink) : null;
  const csv = lines
    ? new CsvReader("", { row: (cells, line) => lines.line(cells[0]!, line), trouble: (one) => sink.trouble(one) })
    : new CsvReader(format.delimiter, { row: take, trouble: (one) => sink.trouble(one) });
  const decoder = new TextDecoder(format.encoding);
  let bytes = 0;
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.byteLength;
    csv.push(decoder.decode(value, { stream: true }));
    sink.progress(bytes);
    if (rows >= most || (most < Infinity && bytes > PREVIEW_BYTES)) {
      await reader.cancel();
      return counts;
    }
  }
  csv.push(decoder.decode());
  csv.end();
  return counts;
}

/** Objects to cells by key, in the order in which the keys first appear. */
class JsonLines {
  #keys: string[];
  #take: (cells: string[], line: number) => void;
  #sink: Sink;

  constructor(keys: string[], take: (cells: string[], line: number) => void, sink: Sink) {
    this.#keys = keys;
    this.#take = take;
    this.#sink = sink;
  }

  line(text: string, line: number): void {
    if (!text.trim()) return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#sink.trouble({ line, code: "notJson" });
      return;
    }
    if (typeof value === "string") value = { text: value };
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#sink.trouble({ line, code: "notJson" });
      return;
    }
    const names = Object.keys(value);
    const fresh = names.length > MAX_COLUMNS ? names : names.filter((name) => !this.#keys.includes(name));
    if (this.#keys.length + fresh.length > MAX_COLUMNS) return this.#sink.trouble({ line, code: "tooWide" });
    const cells: string[] = this.#keys.map(() => "");
    for (const [key, one] of Object.entries(value)) {
      let column = this.#keys.indexOf(key);
      if (column < 0) column = this.#keys.push(key) - 1;
      cells[column] = typeof one === "string" ? one : one === null ? "" : JSON.stringify(one);
    }
    for (let i = 0; i < cells.length; i++) cells[i] ??= "";
    this.#take(cells, line);
  }
}

async function readWorkbook(
  file: File,
  sheet: string,
  take: (cells: string[], line: number) => void,
  most: number,
): Promise<void> {
  const { streamXlsxRows } = await import("hucre/xlsx");
  const limit = most === Infinity ? {} : { maxRows: most };
  await guarded(async () => {
    for await (const { index, values } of streamXlsxRows(await file.arrayBuffer(), { sheet, ...limit }))
      take(values.map(cellText), index + 1);
  });
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString().replace("T", " ").replace(/( 00:00:00)?\.\d+Z$/, "");
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  return String(value);
}
