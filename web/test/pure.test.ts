import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as stats from "../src/batch/stats.ts";
import { select, TableData } from "../src/batch/table-data.ts";
import { clauses } from "../src/clauses.ts";
import { WORDS } from "../src/words.ts";

test("clauses joined are the text", () => {
  assert.deepEqual(clauses("屏幕很好，但是电池太差"), ["屏幕很好，", "但是电池太差"]);
  assert.deepEqual(clauses("好！真的很好。"), ["好！", "真的很好。"]);
  assert.deepEqual(clauses(""), []);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("好", "a", "，", "。", "\n", " "), maxLength: 80 }), (text) => {
      assert.equal(clauses(text, 5).join(""), text);
      assert.ok(clauses(text, 5).length <= 5);
    }),
  );
});

function table(texts: [string, number | string, string?, string?][]): TableData {
  const rows = texts.map(([text, , date = "", city = ""]) => [text, date, city]);
  const data = new TableData("t", ["text", "date", "city"], rows, 0);
  texts.forEach(([, answer], row) => {
    if (typeof answer === "string") data.set(row, { code: answer, message: answer });
    else {
      const label = answer >= 0.6 ? "positive" : answer < 0.4 ? "negative" : "neutral";
      data.set(row, { label, positive: answer, confidence: Math.max(answer, 1 - answer), truncated: false });
    }
  });
  return data;
}

const DATA = table([
  ["很好用", 0.9, "2026-01-01", "北京"],
  ["太差了", 0.1, "2026-01-01", "上海"],
  ["还行吧", 0.5, "2026-01-02", "北京"],
  ["", "blank_text"],
  ["非常好", 0.99, "2026-01-02", "北京"],
]);
const ALL = select(DATA, { label: "", search: "" }, "file");

test("filter and order", () => {
  assert.deepEqual([...select(DATA, { label: "positive", search: "" }, "file")], [0, 4]);
  assert.deepEqual([...select(DATA, { label: "error", search: "" }, "file")], [3]);
  assert.deepEqual([...select(DATA, { label: "", search: "上海" }, "file")], [1]);
  assert.deepEqual([...select(DATA, { label: "", search: "" }, "positive")], [4, 0, 2, 1, 3]);
  assert.deepEqual([...select(DATA, { label: "", search: "" }, "unsure")].slice(0, 2), [2, 0]);
});

test("numbers behind the charts", () => {
  assert.deepEqual(stats.distribution(DATA, ALL), { positive: 2, neutral: 1, negative: 1 });
  const sure = stats.confidenceHistogram(DATA, ALL);
  assert.equal(sure.reduce((sum, { counts }) => sum + stats.total(counts), 0), 4);
  assert.equal(stats.total(sure[9]!.counts), 1);
  assert.deepEqual(stats.overTime(DATA, ALL, 1).map(({ name }) => name), ["2026-01-01", "2026-01-02"]);
  assert.deepEqual(stats.byCategory(DATA, ALL, 2, "others").map(({ name, counts }) => [name, stats.total(counts)]), [
    ["北京", 3],
    ["上海", 1],
  ]);
  assert.deepEqual(stats.extremes(DATA, ALL, "positive"), [4, 0]);
  assert.equal(stats.total(stats.byLength(DATA, ALL)[0]!.counts), 4);
});

test("the words that separate the classes", async () => {
  const many = table(Array.from({ length: 60 }, (_, i) => (i % 2 ? ["手机很漂亮，物流神速", 0.9] : ["手机有问题，客服糟糕", 0.1])));
  const { words, texts } = await stats.separatingWords(many, select(many, { label: "", search: "" }, "file"), new AbortController().signal);
  assert.equal(texts, 60);
  const z = (part: string) => words.find(({ word }) => word.includes(part))?.z ?? 0;
  assert.ok(z("漂亮") > 2, String(z("漂亮")));
  assert.ok(Math.abs(z("手机")) < z("漂亮"), "a word of both classes separates less");
});

test("every word is there in both languages, with the same values", () => {
  for (const [key, [zh, en]] of Object.entries(WORDS)) {
    assert.ok(zh && en, key);
    const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    assert.deepEqual(values(zh), values(en), key);
  }
});
