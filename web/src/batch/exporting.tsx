// The page's side of the writing worker, and its buttons.
import { useState } from "preact/hooks";
import { number, t } from "../i18n.ts";
import type { FileFormat, Headings, Outcome } from "./export.ts";
import type { FromWriter, ToWriter } from "./export.worker.ts";
import type { TableData } from "./table-data.ts";

declare const EXPORT_WORKER: string;
const CHUNK = 2000;

function headings(): Headings {
  return {
    labels: { positive: t("positive"), neutral: t("neutral"), negative: t("negative") },
    columns: [t("sentiment"), t("confidence"), t("positiveProbability"), t("truncatedShort"), t("error")],
    results: t("results"),
    summary: t("summary"),
    count: t("count"),
    share: t("share"),
    failed: t("notAnalysed"),
    rows: t("rows"),
    yes: t("yes"),
  };
}

function outcome(data: TableData, row: number): Outcome {
  return {
    label: data.label(row) ?? null,
    confidence: data.confidence(row),
    positive: data.positive(row),
    truncated: data.truncated(row),
    problem: data.problems.get(row)?.message ?? (data.isPending(row) ? t("notYet") : ""),
  };
}

async function write(data: TableData, rows: Uint32Array, format: FileFormat): Promise<Blob> {
  const worker = new Worker(new URL(`./${EXPORT_WORKER}`, import.meta.url), { type: "module" });
  const say = (message: ToWriter) => worker.postMessage(message);
  try {
    const file = new Promise<Blob>((resolve, reject) => {
      worker.onmessage = ({ data: answer }: MessageEvent<FromWriter>) =>
        answer.type === "file" ? resolve(answer.file) : reject(new Error(answer.message));
      worker.onerror = (event) => reject(new Error(event.message ?? t("offline")));
    });
    say({ type: "begin", format, columns: data.columns, words: headings() });
    for (let at = 0; at < rows.length; at += CHUNK) {
      const part = [...rows.subarray(at, at + CHUNK)];
      say({ type: "rows", rows: part.map((row) => data.rows[row]!), outcomes: part.map((row) => outcome(data, row)) });
      await new Promise((resolve) => setTimeout(resolve)); // the page stays smooth
    }
    say({ type: "end" });
    return await file;
  } finally {
    worker.terminate();
  }
}

export function download(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function ExportButtons({ data, rows }: { data: TableData; rows: Uint32Array }) {
  const [busy, setBusy] = useState<FileFormat | null>(null);
  const [said, say] = useState("");
  const save = async (format: FileFormat) => {
    setBusy(format);
    say("");
    try {
      const name = `${data.name.replace(/\.[^.]*$/, "")}-${t("fileSuffix")}.${format}`;
      download(await write(data, rows, format), name);
      say(t("saved", { name, n: number(rows.length) }));
    } catch (error) {
      say(t("notSaved", { why: error instanceof Error ? error.message : String(error) }));
    } finally {
      setBusy(null);
    }
  };
  return (
    <div class="row exports">
      <strong>{t("exportRows", { n: number(rows.length) })}</strong>
      {(["xlsx", "csv", "json"] as const).map((format) => (
        <button key={format} type="button" disabled={busy !== null || !rows.length} onClick={() => save(format)}>
          {busy === format ? t("writing") : t(`export_${format}`)}
        </button>
      ))}
      <span class="hint" role="status">
        {said}
      </span>
    </div>
  );
}
