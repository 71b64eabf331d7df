// How the file is read, changeable by hand, with its first rows as they come out.
import { useEffect, useState } from "preact/hooks";
import { number, t } from "../i18n.ts";
import type { Reading } from "./reading.ts";
import { analyzeFile, columnNames } from "./session.ts";
import { sniffTextColumn } from "./sniff.ts";
import { DELIMITERS, type Encoding, ENCODINGS, type Format, type Preview } from "./types.ts";

const ENCODING_NAMES: Record<Encoding, string> = {
  "utf-8": "UTF-8",
  gb18030: "GB18030 / GBK",
  "utf-16le": "UTF-16 LE",
  "utf-16be": "UTF-16 BE",
};
const SHOWN = 10;

export function PreviewStep({ reading }: { reading: Reading }) {
  const preview = reading.preview.value;
  if (!preview) return <p class="empty">{t("reading")}</p>;
  return <Settings reading={reading} preview={preview} />;
}

function Settings({ reading, preview }: { reading: Reading; preview: Preview }) {
  const { format, rows, keys } = preview;
  const [header, setHeader] = useState(preview.header);
  const width = rows.reduce((most, row) => Math.max(most, row.length), keys.length);
  const body = header ? rows.slice(1) : rows;
  const columns = columnNames(header ? (rows[0] ?? []) : keys, width);
  const [column, setColumn] = useState(() => sniffTextColumn(columns, body));
  // Read anew: what was found is found anew.
  useEffect(() => {
    setHeader(preview.header);
    const names = columnNames(preview.header ? (rows[0] ?? []) : keys, width);
    setColumn(sniffTextColumn(names, preview.header ? rows.slice(1) : rows));
  }, [preview]);
  const change = (to: Partial<Format>) => reading.reopen({ ...format, ...to });

  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault();
        void analyzeFile(reading, { format, header, textColumn: column });
      }}
    >
      <h2>{t("previewOf", { file: reading.file.name })}</h2>
      {preview.macros && <p class="note">{t("macros")}</p>}
      <div class="settings">
        {format.kind !== "xlsx" && (
          <label>
            {t("encoding")}
            <select
              value={format.encoding}
              onChange={(event) => change({ encoding: event.currentTarget.value as Encoding })}
            >
              {ENCODINGS.map((encoding) => (
                <option key={encoding} value={encoding}>
                  {ENCODING_NAMES[encoding]}
                </option>
              ))}
            </select>
          </label>
        )}
        {format.kind === "delimited" && (
          <label>
            {t("delimiter")}
            <select value={format.delimiter} onChange={(event) => change({ delimiter: event.currentTarget.value })}>
              {DELIMITERS.map((delimiter) => (
                <option key={delimiter} value={delimiter}>
                  {delimiter === "\t" ? t("tab") : delimiter || t("wholeLine")}
                </option>
              ))}
            </select>
          </label>
        )}
        {preview.sheets.length > 1 && (
          <label>
            {t("sheet")}
            <select value={format.sheet} onChange={(event) => change({ sheet: event.currentTarget.value })}>
              {preview.sheets.map((sheet) => (
                <option key={sheet}>{sheet}</option>
              ))}
            </select>
          </label>
        )}
        <label>
          {t("textColumn")}
          <select value={column} onChange={(event) => setColumn(Number(event.currentTarget.value))}>
            {columns.map((name, index) => (
              <option key={index} value={index}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {format.kind !== "jsonl" && (
          <label class="check">
            <input type="checkbox" checked={header} onChange={(event) => setHeader(event.currentTarget.checked)} />
            {t("hasHeader")}
          </label>
        )}
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("preview")}>
        <table class="preview">
          <thead>
            <tr>
              {columns.map((name, index) => (
                <th key={index} scope="col" class={index === column ? "chosen" : ""}>
                  {name}
                  {index === column && <span class="hint"> {t("isText")}</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {body.slice(0, SHOWN).map((row, index) => (
              <tr key={index}>
                {columns.map((_, at) => (
                  <td key={at} class={at === column ? "chosen" : ""}>
                    {(row[at] ?? "").slice(0, 200)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {!body.length && (
        <p class="alert" role="alert">
          {t("noRows")} {preview.trouble && t(preview.trouble.code, { line: number(preview.trouble.line) })}
        </p>
      )}
      <div class="row">
        <span class="hint">{t("previewHint")}</span>
        <span class="spring" />
        <button type="submit" class="primary" disabled={!body.length}>
          {t("analyzeAll")}
        </button>
      </div>
    </form>
  );
}
