// Writes files off the page's thread; the rows arrive in pieces, so that the page stays smooth.
import { csv, type FileFormat, type Headings, json, type Outcome, xlsx } from "./export.ts";

export type ToWriter =
  | { type: "begin"; format: FileFormat; columns: string[]; words: Headings }
  | { type: "rows"; rows: string[][]; outcomes: Outcome[] }
  | { type: "end" };
export type FromWriter = { type: "file"; file: Blob } | { type: "failed"; message: string };

let begun: Extract<ToWriter, { type: "begin" }>;
const rows: string[][] = [];
const outcomes: Outcome[] = [];

const MEDIA: Record<FileFormat, string> = {
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  csv: "text/csv;charset=utf-8",
  json: "application/json",
};

/** Joined in pieces: one string for each row would be many. */
function blob(parts: Iterable<string>, type: string): Blob {
  const blobs: Blob[] = [];
  let text = "";
  for (const part of parts) {
    text += part;
    if (text.length > 1 << 20) {
      blobs.push(new Blob([text]));
      text = "";
    }
  }
  return new Blob([...blobs, text], { type });
}

async function write(): Promise<Blob> {
  const { format, columns, words } = begun;
  const table = { columns, rows, outcomes };
  const type = MEDIA[format];
  if (format === "csv") return blob(csv(table, words), type);
  if (format === "json") return blob(json(table), type);
  return new Blob([(await xlsx(table, words)) as Uint8Array<ArrayBuffer>], { type });
}

addEventListener("message", async ({ data }: MessageEvent<ToWriter>) => {
  if (data.type === "begin") begun = data;
  else if (data.type === "rows") {
    for (const row of data.rows) rows.push(row);
    for (const outcome of data.outcomes) outcomes.push(outcome);
  } else {
    let answer: FromWriter;
    try {
      answer = { type: "file", file: await write() };
    } catch (error) {
      answer = { type: "failed", message: String(error) };
    }
    postMessage(answer);
  }
});
