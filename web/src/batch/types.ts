// What the page, the reader and the writer of files say to each other.
export type Kind = "delimited" | "jsonl" | "xlsx";
export type Encoding = "utf-8" | "gb18030" | "utf-16le" | "utf-16be";
export const ENCODINGS: readonly Encoding[] = ["utf-8", "gb18030", "utf-16le", "utf-16be"];
export const DELIMITERS = [",", ";", "\t", "|", "，", ""] as const;

/** Something wrong with one line; the others are read all the same. */
export interface Trouble {
  line: number;
  code: "lineTooLong" | "openQuote" | "notJson" | "tooWide" | "undecodable";
}

/** Why a file as a whole is not read. */
export type Refusal =
  | "emptyFile"
  | "oldExcel"
  | "notWorkbook"
  | "zipBomb"
  | "tooManyRows"
  | "tooMuchText"
  | "unreadable"
  | "readerLost"; // the worker itself was not there to load

export interface Format {
  kind: Kind;
  encoding: Encoding;
  delimiter: string;
  sheet: string;
}

/** How a file is read: all that its rows depend on. */
export interface Settings {
  format: Format;
  header: boolean;
  textColumn: number;
}

export interface Preview {
  format: Format;
  sheets: string[];
  macros: boolean;
  rows: string[][];
  keys: string[]; // column names that the format itself gives (JSON Lines)
  header: boolean;
  /** The first one, if any. */
  trouble: Trouble | undefined;
}

export type ToReader = { type: "open"; file: File; format?: Format } | { type: "load"; file: File; format: Format };
export type FromReader =
  | { type: "preview"; preview: Preview }
  | { type: "rows"; rows: string[][]; read: number }
  | { type: "end"; keys: string[]; troubles: Trouble[]; troubleCount: number; emptyRows: number }
  | { type: "refused"; why: Refusal; detail: string };

export const MAX_ROWS = 500_000;
export const MAX_COLUMNS = 1000;
export const MAX_CHARACTERS = 256 << 20;
/** Of a workbook, inflated. */
export const MAX_INFLATED = 512 << 20;
