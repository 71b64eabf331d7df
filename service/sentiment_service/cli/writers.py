"""The outputs of `analyze`: a table for people, CSV, JSON Lines, and a workbook. All write row by row."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from sentiment_service.cli import sniff
from sentiment_service.cli.outcome import COLUMNS, Outcome, fresh_names, harmless
from sentiment_service.cli.records import Row

_XLSX_CELL = 32_767
_XLSX_ROWS = 1_048_576
_LABELS = ("积极", "中性", "消极")


class Writer(Protocol):
    """Takes rows in order."""

    def write(self, row: Row, outcome: Outcome) -> None: ...

    def close(self) -> None: ...


class TooManyRowsError(Exception):
    """More rows than the format holds."""


class Table:
    """One line a row, cut to the width of the terminal."""

    def __init__(self, stream: TextIO, text: int, width: int) -> None:
        from rich.cells import set_cell_size

        self._cut = set_cell_size
        self._stream = stream
        self._text = text
        self._width = max(20, width - 17)

    def write(self, row: Row, outcome: Outcome) -> None:
        text = " ".join(row.cells[self._text].split())
        share = f"{outcome.confidence:7.1%}" if not outcome.error else ""
        head = f"{outcome.sentiment or '－－'}  {share:>7}  "
        shown = f"{text}  ({outcome.error})" if outcome.error else text
        self._stream.write(head + self._cut(shown, self._width).rstrip() + "\n")

    def close(self) -> None:
        self._stream.flush()


class Csv:
    """`marked`: with a byte-order mark, without which Excel takes UTF-8 for the system's code page."""

    def __init__(self, stream: TextIO, columns: Sequence[str], *, marked: bool) -> None:
        self._stream = stream
        self._width = len(columns)
        self._writer = csv.writer(stream)
        if marked:
            stream.write("\ufeff")
        self._line([*columns, *fresh_names(COLUMNS, list(columns))])

    def write(self, row: Row, outcome: Outcome) -> None:
        self._line([*row.cells[: self._width], *map(str, outcome.cells())])

    def _line(self, cells: Sequence[str]) -> None:
        self._writer.writerow([harmless(_encodable(cell)) for cell in cells])

    def close(self) -> None:
        self._stream.flush()


class JsonLines:
    """Each row as an object, with its answer beside it."""

    def __init__(self, stream: TextIO, columns: list[str]) -> None:
        self._stream = stream
        self._columns = columns

    def write(self, row: Row, outcome: Outcome) -> None:
        value = row.value if row.value is not None else dict(zip(self._columns, row.cells, strict=True))
        [name] = fresh_names(("analysis",), list(value))
        line = json.dumps({**value, name: outcome.document()}, ensure_ascii=False)
        # A lone surrogate goes as the JSON escape that it came as.
        self._stream.write(line.encode("utf-8", "backslashreplace").decode() + "\n")

    def close(self) -> None:
        self._stream.flush()


class Xlsx:
    """A sheet with counts and a chart, and one with all rows and a filter; no cell is ever a formula."""

    def __init__(self, path: Path, columns: Sequence[str], sample: Sequence[Sequence[str]]) -> None:
        import xlsxwriter

        safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, **safe})
        self._summary = self._book.add_worksheet("Summary")
        self._sheet = self._book.add_worksheet("Results")
        self._bold = self._book.add_format({"bold": True})
        self._percent = self._book.add_format({"num_format": "0.0%"})
        self._width = len(columns)
        filled = [
            [row[at] for row in sample if at < len(row) and row[at].strip()] for at in range(self._width)
        ]
        self._numeric = [
            bool(cells) and all(sniff.number(cell) is not None for cell in cells) for cells in filled
        ]
        self._counts: Counter[str] = Counter()
        self._rows = 0
        names = [*columns, *fresh_names(COLUMNS, list(columns))]
        for at, numeric in enumerate([*self._numeric, *[True] * len(COLUMNS)]):
            self._sheet.set_column(at, at, 14 if numeric else 30)
        self._sheet.freeze_panes(1, 0)
        for at, name in enumerate(names):
            self._sheet.write_string(0, at, _cell(name), self._bold)

    def write(self, row: Row, outcome: Outcome) -> None:
        self._rows += 1
        if self._rows >= _XLSX_ROWS:
            raise TooManyRowsError(f"a workbook holds {_XLSX_ROWS} rows: write CSV instead")
        self._counts[outcome.sentiment] += 1
        for at, cell in enumerate(row.cells[: self._width]):
            number = sniff.number(cell) if self._numeric[at] else None
            if number is not None:
                self._sheet.write_number(self._rows, at, number)
            elif cell:
                self._sheet.write_string(self._rows, at, _cell(cell))
        for at, value in enumerate(outcome.cells(), self._width):
            if isinstance(value, float):
                self._sheet.write_number(self._rows, at, value, self._percent)
            elif value:
                self._sheet.write_string(self._rows, at, _cell(value))

    def close(self) -> None:
        self._sheet.autofilter(0, 0, self._rows, self._width + len(COLUMNS) - 1)
        lines: list[tuple[str, int]] = [(label, self._counts[label]) for label in _LABELS]
        lines.append(("no answer", self._counts[""]))
        self._summary.set_column(0, 2, 14)
        for at, name in enumerate(("sentiment", "rows", "share")):
            self._summary.write_string(0, at, name, self._bold)
        for at, (name, count) in enumerate(lines, 1):
            self._summary.write_string(at, 0, name)
            self._summary.write_number(at, 1, count)
            self._summary.write_number(at, 2, count / max(self._rows, 1), self._percent)
        chart = self._book.add_chart({"type": "column"})
        names, values = ["Summary", 1, 0, 3, 0], ["Summary", 1, 1, 3, 1]
        chart.add_series(
            {"name": "rows", "categories": names, "values": values, "fill": {"color": "#0072B2"}}
        )
        chart.set_legend({"none": True})
        self._summary.insert_chart("E1", chart)
        self._book.close()


def _encodable(cell: str) -> str:
    return cell.encode("utf-8", "replace").decode()


def _cell(cell: Any) -> str:
    return _encodable(str(cell))[:_XLSX_CELL]
