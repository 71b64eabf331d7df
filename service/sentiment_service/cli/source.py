"""The input of `analyze`: a file or standard input, opened, understood, and read row by row."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sentiment_service.cli import sniff
from sentiment_service.cli.records import Row, Trouble, delimited, json_lines, lines

SAMPLE = 256 << 10
_SAMPLE_ROWS = 200
_CHUNK = 64 << 10


class SourceError(Exception):
    """The input can't be read; the message says why and what to do."""


class Source:
    """Rows of a byte stream; `columns` and `text` say what the cells are."""

    def __init__(self, stream: BinaryIO, name: str, column: str | None, trouble: Trouble) -> None:
        self._stream = stream
        self._trouble = trouble
        self._sample = stream.read(SAMPLE)
        self.read_bytes = 0
        if self._sample[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
            raise SourceError(f"{name} is a workbook or an archive: save it as CSV, or use the web page")
        if not self._sample.strip():
            raise SourceError(f"{name} is empty")
        self.encoding = sniff.encoding_of(self._sample)
        text = self._decoder().decode(self._sample)
        suffix = Path(name).suffix.lower()
        self.json = suffix in (".jsonl", ".ndjson") or bool(re.match(r'\s*\{\s*"', text))
        self.delimiter = (
            "" if self.json or suffix == ".txt" else sniff.delimiter_of(text) or _named(suffix, text)
        )
        self.columns: list[str] = []
        rows = list(itertools.islice(self._records(iter([text]), lambda *_: None), _SAMPLE_ROWS))
        if not rows:
            raise SourceError(f"{name} holds no rows")
        cells = [row.cells for row in rows]
        self.header = not self.json and sniff.has_header(cells)
        if not self.json:
            self.columns = _names(cells, self.header)
        self.sample_rows = cells[1:] if self.header else cells
        self.text = self._find(column)

    def rows(self) -> Iterator[Row]:
        """All rows but the header, each with a cell for every column so far; once only."""
        records = self._records(self._text(), self._trouble)
        if self.header:
            next(records)
        for row in records:
            missing = len(self.columns) - len(row.cells)
            if missing < 0 and any(cell.strip() for cell in row.cells[missing:]):
                self._trouble(
                    row.line, f"has {-missing} more cells than there are columns; they are left out"
                )
            yield row._replace(cells=(row.cells + [""] * missing)[: len(self.columns)])

    def _find(self, column: str | None) -> int:
        if column is None:
            return sniff.text_column(self.columns, self.sample_rows)
        if column in self.columns:
            return self.columns.index(column)
        if column.isdecimal() and 1 <= int(column) <= len(self.columns):
            return int(column) - 1
        raise SourceError(f"there is no column {column!r}; there are: {', '.join(self.columns)}")

    def _decoder(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self.encoding)("replace")

    def _text(self) -> Iterator[str]:
        decoder = self._decoder()
        chunk = self._sample
        first = True
        while chunk:
            self.read_bytes += len(chunk)
            text = decoder.decode(chunk)
            yield text.removeprefix("\ufeff") if first else text
            first = False
            chunk = self._stream.read(_CHUNK)
        yield decoder.decode(b"", True)

    def _records(self, chunks: Iterator[str], trouble: Trouble) -> Iterator[Row]:
        numbered = lines((chunk.removeprefix("\ufeff") for chunk in chunks), trouble)
        if self.json:
            return json_lines(numbered, self.columns, trouble)
        return delimited(numbered, self.delimiter, trouble)


def _named(suffix: str, text: str) -> str:
    """Of uneven lines: what the name promises, if quotes or the first line bear it out."""
    delimiter = {".csv": ",", ".tsv": "\t"}.get(suffix, "")
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    return delimiter if '"' in text or delimiter in first else ""


def _names(rows: list[list[str]], header: bool) -> list[str]:
    width = max(map(len, rows))
    given = [cell.strip() for cell in rows[0]] if header else []
    if width == 1 and not header:
        return ["text"]
    return [name or f"column {index + 1}" for index, name in enumerate(given + [""] * (width - len(given)))]
