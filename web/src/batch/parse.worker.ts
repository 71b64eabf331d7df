// Reads files off the page's thread.
import { open, read, RefusedError } from "./reader.ts";
import { sniffHeader } from "./sniff.ts";
import type { Format, FromReader, ToReader, Trouble } from "./types.ts";

const PREVIEW_ROWS = 30;
const CHUNK = 2000;
const TROUBLES_KEPT = 1000;

const say = (message: FromReader) => postMessage(message);

async function preview(file: File, wanted?: Format): Promise<void> {
  const opened = await open(file, wanted);
  const rows: string[][] = [];
  let trouble: Trouble | undefined;
  const sink = {
    row: (cells: string[]) => void rows.push(cells),
    trouble: (one: Trouble) => void (trouble ??= one),
    progress: () => {},
  };
  const { keys } = await read(file, opened.format, sink, PREVIEW_ROWS);
  const header = opened.format.kind !== "jsonl" && sniffHeader(rows);
  say({ type: "preview", preview: { ...opened, rows, keys, header, trouble } });
}

async function load(file: File, format: Format): Promise<void> {
  let rows: string[][] = [];
  let read_ = 0;
  let troubleCount = 0;
  const troubles: Trouble[] = [];
  const flush = () => {
    say({ type: "rows", rows, read: read_ / file.size });
    rows = [];
  };
  const sink = {
    row(cells: string[]) {
      rows.push(cells);
      if (rows.length === CHUNK) flush();
    },
    trouble(trouble: Trouble) {
      troubleCount += 1;
      if (troubles.length < TROUBLES_KEPT) troubles.push(trouble);
    },
    progress(bytes: number) {
      read_ = bytes;
    },
  };
  const counts = await read(file, format, sink);
  flush();
  say({ type: "end", troubles, troubleCount, ...counts });
}

addEventListener("message", async ({ data }: MessageEvent<ToReader>) => {
  try {
    if (data.type === "open") await preview(data.file, data.format);
    else await load(data.file, data.format);
  } catch (error) {
    if (error instanceof RefusedError) say({ type: "refused", why: error.why, detail: error.message });
    else say({ type: "refused", why: "unreadable", detail: String(error).slice(0, 200) });
  }
});
