import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CsvReader } from "../src/batch/csv.ts";

function read(pieces: string[], delimiter = ",", max = 1000) {
  const rows: string[][] = [];
  const lines: number[] = [];
  const troubles: string[] = [];
  const reader = new CsvReader(
    delimiter,
    {
      row: (cells, line) => {
        rows.push(cells);
        lines.push(line);
      },
      trouble: ({ line, code }) => troubles.push(`${line} ${code}`),
    },
    max,
  );
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return { rows, lines, troubles };
}

test("quotes, line breaks in quotes, doubled quotes, every line end, ragged and empty rows", () => {
  const { rows, lines, troubles } = read(['a,b\r\n"x\ny","say ""hi"""\n\n1,2,3\rlast']);
  assert.deepEqual(rows, [["a", "b"], ["x\ny", 'say "hi"'], [""], ["1", "2", "3"], ["last"]]);
  assert.deepEqual(lines, [1, 2, 4, 5, 6]);
  assert.deepEqual(troubles, []);
});

test("a quote inside a bare cell, and text after a closing quote, are text", () => {
  assert.deepEqual(read(['5" screen,"a"b\n']).rows, [['5" screen', "ab"]]);
});

test("without a delimiter a line is one cell, quotes included", () => {
  assert.deepEqual(read(['"好", 不好\n再来'], "").rows, [['"好", 不好'], ["再来"]]);
});

test("a quote that is never closed loses no line", () => {
  const { rows, troubles } = read(['a,b\n"open,c\nd,e\nf,g']);
  assert.deepEqual(rows, [["a", "b"], ['"open', "c"], ["d", "e"], ["f", "g"]]);
  assert.deepEqual(troubles, ["2 openQuote"]);
});

test("an open quote in a long file is given up at the limit, and later lines are read", () => {
  const body = Array.from({ length: 100 }, (_, i) => `row ${i},x`).join("\n");
  const { rows, troubles } = read([`"open,c\n${body}\n`], ",", 200);
  assert.equal(rows.length, 101);
  assert.deepEqual(rows[0], ['"open', "c"]);
  assert.deepEqual(troubles, ["1 openQuote"]);
});

test("a line that is too long is skipped, told, and not kept in memory", () => {
  const { rows, troubles } = read(["a\n", ..."x".repeat(50).split("").map(() => "y".repeat(100)), "\nb\n"]);
  assert.deepEqual(rows, [["a"], ["b"]]);
  assert.deepEqual(troubles, ["2 lineTooLong"]);
});

test("what is written can be read, wherever the pieces are cut", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "好", ",", '"', "\n", "\r", " ", "\0"), maxLength: 8 });
  const table = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(table, fc.array(fc.nat(400), { maxLength: 6 }), (rows, cuts) => {
      const text = rows.map((row) => `${row.map((one) => `"${one.replaceAll('"', '""')}"`).join(",")}\r\n`).join("");
      const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
      const pieces = places.slice(1).map((end, i) => text.slice(places[i], end));
      assert.deepEqual(read(pieces).rows, rows);
    }),
  );
});

test("bare text comes out the same wherever it is cut", () => {
  const text = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r"), maxLength: 60 });
  fc.assert(
    fc.property(text, fc.nat(60), (whole, cut) => {
      assert.deepEqual(read([whole.slice(0, cut), whole.slice(cut)]), read([whole]));
    }),
  );
});
