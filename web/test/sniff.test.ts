import assert from "node:assert/strict";
import { test } from "node:test";
import {
  categoryColumns,
  columnType,
  sniffDelimiter,
  sniffEncoding,
  sniffHeader,
  sniffTextColumn,
  toDate,
} from "../src/batch/sniff.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string, big: boolean) => {
  const view = new DataView(new ArrayBuffer(text.length * 2));
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), !big);
  return new Uint8Array(view.buffer);
};

test("encodings", () => {
  assert.equal(sniffEncoding(utf8("好评，很好")), "utf-8");
  assert.equal(sniffEncoding(utf8("\ufeff好评")), "utf-8");
  assert.equal(sniffEncoding(Uint8Array.of(0xba, 0xc3, 0xc6, 0xc0)), "gb18030"); // 好评
  assert.equal(sniffEncoding(Uint8Array.of(0xff, 0xfe, 0x7d, 0x59)), "utf-16le");
  assert.equal(sniffEncoding(utf16("id,text\n1,好评\n", false)), "utf-16le");
  assert.equal(sniffEncoding(utf16("id,text\n1,好评\n", true)), "utf-16be");
  assert.equal(sniffEncoding(utf8("好评\0很好\n一般")), "utf-8", "a stray NUL is no UTF-16");
  const gbk = [0xd6, 0xca, 0xc1, 0xbf, 0xba, 0xdc, 0xb2, 0xee, 0x0a]; // 质量很差
  assert.equal(sniffEncoding(Uint8Array.of(...utf8("评论\n很好\n还行\n不错\n满意\n太差了\n一般\n推荐给大家\n"), ...gbk)), "utf-8", "one line of another encoding");
  assert.equal(sniffEncoding(Uint8Array.of(...gbk, ...gbk, ...gbk, ...utf8("太差了\n"))), "gb18030", "and the other way round");
  assert.equal(sniffEncoding(utf8("好评").subarray(0, 4)), "utf-8", "a character cut by the sample's end");
});

test("delimiters", () => {
  assert.equal(sniffDelimiter("a,b\n1,2\n3,4"), ",");
  assert.equal(sniffDelimiter("a;b\n1,5;2\n3,5;4"), ";");
  assert.equal(sniffDelimiter("a\tb\n好，的\t2"), "\t");
  assert.equal(sniffDelimiter('a,b\n"1;2;3",2\n"x\ny;z",4'), ",");
  assert.equal(sniffDelimiter("很好，喜欢\n不错\n一般，不推荐，差"), "", "commas of sentences cut nothing");
});

test("header and text column", () => {
  assert.equal(sniffHeader([["日期", "评论"], ["2026-01-01", "很好"]]), true);
  assert.equal(sniffHeader([["很好"], ["不错"]]), false);
  assert.equal(sniffHeader([["1", "很好"], ["2", "不错"]]), false);
  assert.equal(sniffHeader([["foo", "bar"], ["12", "一段比较长的评论文字，超过列名的长度很多"]]), true);
  assert.equal(sniffTextColumn(["id", "评价内容"], [["1", "好"]]), 1);
  assert.equal(sniffTextColumn(["a", "b", "c"], [["2026-01-01", "很好很好很好", "北京"]]), 1);
});

test("column types lose no digit", () => {
  assert.equal(columnType(["1", "-2.5", ""]), "number");
  assert.equal(columnType(["007", "1"]), "text");
  assert.equal(columnType(["12345678901234567890"]), "text");
  assert.equal(columnType(["2026-01-05", "2026/1/6 08:30"]), "date");
  assert.equal(columnType(["2026-01-05", "1"]), "text");
  assert.equal(columnType(["=1+1"]), "text");
  assert.equal(columnType(["", ""]), "text");
});

test("dates", () => {
  assert.equal(toDate("2026年1月5日")?.toISOString(), "2026-01-05T00:00:00.000Z");
  assert.equal(toDate("2026-02-30"), null);
  assert.equal(toDate("2026-1-5T23:59:01+08:00")?.toISOString(), "2026-01-05T23:59:01.000Z");
  assert.equal(toDate("5"), null);
});

test("categories have few values", () => {
  const rows = Array.from({ length: 300 }, (_, i) => [String(i), i % 2 ? "北京" : "上海", `评论 ${i}`, "same"]);
  assert.deepEqual(categoryColumns(["id", "city", "text", "one"], rows, 2), [1]);
});
