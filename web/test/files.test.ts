import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { readXlsx, writeXlsx } from "hucre/xlsx";
import { csv, harmless, json, xlsx } from "../src/batch/export.ts";
import { open, read, RefusedError } from "../src/batch/reader.ts";
import { checkZip, ZipBombError } from "../src/batch/zip-check.ts";

/** A zip file whose directory says of each entry whatever `claimed` says. */
function zip(entries: { name: string; content: Buffer; claimed?: number }[]): Blob {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, claimed = content.length } of entries) {
    const packed = deflateRawSync(content);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(8, 8);
    head.writeUInt32LE(packed.length, 18);
    head.writeUInt32LE(claimed, 22);
    head.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(8, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(claimed, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    parts.push(head, Buffer.from(name), packed);
    directory.push(central, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return new Blob([...parts, ...directory, end]);
}

test("the inflated size is counted, not believed", async () => {
  const content = Buffer.alloc(4 << 20);
  const honest = zip([{ name: "a", content }]);
  const lying = zip([{ name: "a", content, claimed: 10 }]);
  assert.equal((await checkZip(lying, 5 << 20)).inflated, 4 << 20);
  await assert.rejects(checkZip(honest, 1 << 20), ZipBombError);
  await assert.rejects(checkZip(lying, 1 << 20), ZipBombError);
});

async function rowsOf(file: File) {
  const opened = await open(file);
  const rows: string[][] = [];
  const troubles: string[] = [];
  const counts = await read(file, opened.format, {
    row: (cells) => void rows.push(cells),
    trouble: ({ line, code }) => void troubles.push(`${line} ${code}`),
    progress: () => {},
  });
  return { ...opened, ...counts, rows, troubles };
}

const refusal = async (name: string, ...parts: BlobPart[]) =>
  open(new File(parts, name)).then(
    () => "opened",
    (error) => (error instanceof RefusedError ? error.why : error),
  );

test("what is no readable file is refused with a reason", async () => {
  assert.equal(await refusal("a.csv"), "emptyFile");
  assert.equal(await refusal("a.xls", Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 1)), "oldExcel");
  assert.equal(await refusal("a.xlsx", "PK\u0003\u0004 but no more"), "notWorkbook");
  assert.equal(await refusal("a.xlsx", "text"), "notWorkbook");
  assert.equal(await refusal("a.xlsx", zip([{ name: "x", content: Buffer.from("y") }])), "notWorkbook");
});

test("JSON Lines: keys of all lines, values of all kinds, bad lines told", async () => {
  const lines = '{"text":"好","n":1}\nnope\n{"text":"差","extra":{"a":1},"n":null}\n"只有文字"\n[1]\n';
  const { rows, keys, troubles } = await rowsOf(new File([lines], "a.jsonl"));
  assert.deepEqual(keys, ["text", "n", "extra"]);
  assert.deepEqual(rows, [["好", "1"], ["差", "", '{"a":1}'], ["只有文字", "", ""]]);
  assert.deepEqual(troubles, ["2 notJson", "5 notJson"]);
});

test("a line that would make too many columns is told, and the others are read", async () => {
  const wide = `很好${",".repeat(200_000)}x`;
  const csv = await rowsOf(new File([`评论,n\n${wide}\n很好${",".repeat(5000)}\n差评,1\n`], "a.csv"));
  assert.deepEqual(csv.rows, [["评论", "n"], ["很好"], ["差评", "1"]]);
  assert.deepEqual(csv.troubles, ["2 tooWide"]);
  const lines = Array.from({ length: 1500 }, (_, i) => `{"k${i}":"x","text":"好${i}"}`);
  const jsonl = await rowsOf(new File([lines.join("\n")], "a.jsonl"));
  assert.equal(jsonl.keys.length, 1000);
  assert.deepEqual([jsonl.rows.length, jsonl.troubles.length, jsonl.troubles[0]], [999, 501, "1000 tooWide"]);
});

test("mixed encodings: the row is kept and told", async () => {
  const file = new File([`${"好评\n".repeat(10)}`, Uint8Array.of(0xba, 0xc3, 0x0a), "差评\n"], "a.txt");
  const opened = { kind: "delimited", encoding: "utf-8", delimiter: "", sheet: "" } as const;
  const rows: string[][] = [];
  const troubles: string[] = [];
  await read(file, opened, {
    row: (cells) => void rows.push(cells),
    trouble: ({ line, code }) => void troubles.push(`${line} ${code}`),
    progress: () => {},
  });
  assert.equal(rows.length, 12);
  assert.deepEqual(troubles, ["11 undecodable"]);
});

const WORDS = {
  labels: { positive: "积极", neutral: "中性", negative: "消极" },
  columns: ["情感", "置信度", "积极概率", "已截断", "错误"] as [string, string, string, string, string],
  results: "结果",
  summary: "汇总",
  count: "数量",
  share: "占比",
  failed: "没有结果",
  rows: "总行数",
  yes: "是",
};
const HOSTILE = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "<b>&\"'", "a\0b\ud800"];
const TABLE = {
  columns: ["编号", "日期", "text"],
  rows: HOSTILE.map((text, i) => [String(i), `2026-01-0${i + 1}`, text]),
  outcomes: HOSTILE.map((_, i) =>
    i ? { label: "positive" as const, confidence: 0.91, positive: 0.91, truncated: false, problem: "" }
      : { label: null, confidence: 0, positive: 0, truncated: false, problem: "=bad" },
  ),
};

test("XLSX: types, filter, chart, original columns, and no formula", async () => {
  const bytes = await xlsx(TABLE, WORDS);
  const book = await readXlsx(bytes, { readStyles: true });
  assert.deepEqual(book.sheets.map(({ name }) => name), ["汇总", "结果"]);
  const [summary, results] = book.sheets;
  assert.equal(summary!.charts?.length, 1);
  assert.deepEqual(summary!.rows[1]!.slice(0, 2), ["积极", 8]);
  assert.equal(results!.autoFilter?.range, "A1:H10");
  assert.deepEqual(results!.rows[0], ["编号", "日期", "text", "情感", "置信度", "积极概率", "已截断", "错误"]);
  assert.equal(typeof results!.rows[1]![0], "number");
  assert.ok(results!.rows[1]![1] instanceof Date);
  assert.deepEqual(results!.rows.slice(1, 9).map((row) => row[2]), HOSTILE.slice(0, 8));
  for (const name of ["xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"])
    assert.doesNotMatch(await entry(bytes, name), /<f[ >]/);
});

/** An entry of a zip file that a writer in memory made: its sizes are known. */
async function entry(bytes: Uint8Array, name: string): Promise<string> {
  const buffer = Buffer.from(bytes);
  const at = buffer.indexOf(name);
  assert.ok(at > 0, name);
  return inflateRawSync(buffer.subarray(at + name.length + buffer.readUInt16LE(at - 2))).toString();
}

test("CSV: a mark for Excel, and nothing that runs", () => {
  const text = [...csv(TABLE, WORDS)].join("");
  assert.ok(text.startsWith("\ufeff编号,日期,text,情感"));
  for (const cell of HOSTILE.slice(0, 7)) assert.equal(harmless(cell)[0], "'");
  for (const cell of ["＝1+1", "－1", "＠SUM(A1)", "\n=1"]) assert.equal(harmless(cell)[0], "'");
  // Where a spreadsheet takes another delimiter, cells begin elsewhere.
  assert.equal(harmless("好;=1+1;@x\n+1\t－1"), "好;'=1+1;'@x\n'+1\t'－1");
  assert.equal(harmless("好\r\n第二行; 好 = 好"), "好\r\n第二行; 好 = 好");
  assert.equal(harmless("-5"), "-5");
  assert.equal(harmless("-5.25"), "-5.25");
  assert.doesNotMatch(text, /(^|,|\n)"?[=+@\t]/);
});

test("JSON is JSON and keeps every column", () => {
  const mine = { columns: ["analysis"], rows: [["mine"]], outcomes: TABLE.outcomes.slice(1, 2) };
  const [row] = JSON.parse([...json(mine)].join("")) as Record<string, unknown>[];
  assert.deepEqual([row!.analysis, Object.keys(row!)], ["mine", ["analysis", "analysis_"]]);
  const value = JSON.parse([...json(TABLE)].join("")) as Record<string, unknown>[];
  assert.deepEqual(value[1], {
    编号: "1",
    日期: "2026-01-02",
    text: "+1",
    analysis: { sentiment: "positive", confidence: 0.91, positive: 0.91, truncated: false },
  });
  assert.deepEqual(value[0]!.analysis, { error: "=bad" });
});

test("a workbook comes back as it was written", async () => {
  const bytes = await writeXlsx({
    sheets: [{ name: "s", rows: [["text", "n", "d"], ["好", 1.5, new Date(Date.UTC(2026, 0, 5))], [null, true, null]] }],
  });
  const { rows, sheets } = await rowsOf(new File([bytes as Uint8Array<ArrayBuffer>], "a.xlsx"));
  assert.deepEqual(sheets, ["s"]);
  assert.deepEqual(rows[0], ["text", "n", "d"]);
  assert.deepEqual(rows[1], ["好", "1.5", "2026-01-05"]);
  assert.equal(rows[2]![1], "TRUE");
});
