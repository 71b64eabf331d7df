"""Files are read as the web page reads them: the same samples through its code and through ours."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
from pathlib import Path

from sentiment_service.cli import sniff
from sentiment_service.cli.outcome import harmless

from e2e.webtools import WEB, node

_SCRIPT = """
import { readFileSync } from "node:fs";
import * as sniff from "./src/batch/sniff.ts";
import { harmless } from "./src/batch/export.ts";
const { samples, texts, tables, cells } = JSON.parse(readFileSync(process.argv[1], "utf-8"));
console.log(JSON.stringify({
  samples: samples.map((one) => sniff.sniffEncoding(Uint8Array.from(Buffer.from(one, "base64")))),
  texts: texts.map(sniff.sniffDelimiter),
  tables: tables.map((rows) => [sniff.sniffHeader(rows), sniff.sniffTextColumn(rows[0], rows.slice(1))]),
  numbers: cells.map((cell) => sniff.columnType([cell]) === "number"),
  harmless: cells.map(harmless),
}));
"""
_PARTS = [
    "id", "评论", "很好", "太差了", "2026-01-05", "1", "-2.5", "007", "好评，很好", "a", "", "text", "90%",
    '"x;y"',    "一段长评论", "=1+1", "＝HYPERLINK()", "x;=cmd", "-1", "+86", "@a", "b\t-c",
    "12345678901234567890",
]  # fmt: skip
_ENCODINGS = ["utf-8", "gb18030", "utf-16-le", "utf-16-be", "utf-16"]


def _text(chance: random.Random) -> str:
    delimiter = chance.choice([",", ";", "\t", "|", "，", "\n"])
    width = chance.randint(1, 4)
    lines = [
        delimiter.join(chance.choices(_PARTS, k=width if chance.random() < 0.9 else width + 1))
        for _ in range(chance.randint(1, 8))
    ]
    return chance.choice(["\n", "\r\n"]).join(lines)


def test_both_say_the_same_of_any_file(tmp_path: Path) -> None:
    chance = random.Random(1)
    texts = [_text(chance) for _ in range(300)]
    samples = [text.encode(chance.choice(_ENCODINGS)) for text in texts]
    samples += [sample[: chance.randint(0, len(sample))] for sample in samples]
    samples += [one + other for one, other in zip(samples, reversed(samples), strict=True)]
    tables = [list(csv.reader(io.StringIO(text.replace("，", ",")))) for text in texts]
    tables = [rows for rows in tables if all(rows)]
    cells = [*_PARTS, *("".join(chance.choices(_PARTS, k=2)) for _ in range(100))]
    given = tmp_path / "given.json"
    encoded = [base64.b64encode(sample).decode() for sample in samples]
    given.write_text(json.dumps({"samples": encoded, "texts": texts, "tables": tables, "cells": cells}))
    web = json.loads(node("--input-type=module", "-e", _SCRIPT, given, folder=WEB))

    encodings = [sniff.encoding_of(sample).replace("-le", "le").replace("-be", "be") for sample in samples]
    assert encodings == web["samples"]
    assert [sniff.delimiter_of(text) for text in texts] == web["texts"]
    ours = [[sniff.has_header(rows), sniff.text_column(rows[0], rows[1:])] for rows in tables]
    assert ours == web["tables"]
    assert [sniff.number(cell) is not None for cell in cells] == web["numbers"]
    assert [harmless(cell) for cell in cells] == web["harmless"]
    assert len(set(web["samples"])) == 4
    assert len(set(web["texts"])) == 6
