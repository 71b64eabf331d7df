"""Delimited text and JSON Lines to rows of cells, in memory bounded by one record."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

MAX_RECORD = 1 << 20
csv.field_size_limit(2 * MAX_RECORD)
_LINE_END = re.compile(r"\r\n|\n|\r")

# Called with the line's number and what is wrong with it.
Trouble = Callable[[int, str], None]


class Row(NamedTuple):
    """One record; `value` is the object as it was, of JSON Lines."""

    line: int
    cells: list[str]
    value: dict[str, object] | None = None


def lines(chunks: Iterable[str], trouble: Trouble) -> Iterator[tuple[int, str]]:
    """Lines with their ends, numbered from 1; one without end is skipped, not held."""
    rest, number, skipping = "", 1, False
    for chunk in chunks:
        rest += chunk
        at = 0
        for found in _LINE_END.finditer(rest):
            if found.end() == len(rest) and found[0] == "\r":
                break  # may be half of "\r\n"
            line, at = rest[at : found.end()], found.end()
            if not skipping:
                yield number, line
            skipping = False
            number += 1
        rest = rest[at:]
        if len(rest) > MAX_RECORD:
            if not skipping:
                trouble(number, f"is longer than {MAX_RECORD} characters and was skipped")
            skipping, rest = True, ""
    if rest and not skipping:
        yield number, rest


def delimited(numbered: Iterator[tuple[int, str]], delimiter: str, trouble: Trouble) -> Iterator[Row]:
    """Rows that hold something. A quote that is never closed would swallow the rest of the file, so its first
    line is read again as it is."""
    if not delimiter:
        yield from (Row(number, [text]) for number, line in numbered if (text := line.rstrip("\r\n")).strip())
        return
    source = _Rewindable(numbered)
    reader = csv.reader(source, delimiter=delimiter)
    for cells in reader:
        fed = source.take()
        number, first = fed[0]
        if len(fed) > 1 and source.ended and sum(line.count('"') for _, line in fed) % 2:
            trouble(number, "opens a quote that is never closed; it is read as it stands")
            source.push_back(fed[1:])
            cells = first.rstrip("\r\n").split(delimiter)
        if any(cell.strip() for cell in cells):
            yield Row(number, cells)


class _Rewindable(Iterator[str]):
    """What csv reads from: remembers the lines of the record under way, and ends one that grows too long."""

    def __init__(self, numbered: Iterator[tuple[int, str]]) -> None:
        self._numbered = numbered
        self._ahead: list[tuple[int, str]] = []
        self._fed: list[tuple[int, str]] = []
        self._characters = 0
        self.ended = False

    def __next__(self) -> str:
        found = None
        if self._characters <= MAX_RECORD:
            found = self._ahead.pop() if self._ahead else next(self._numbered, None)
        if found is None:
            self.ended = True
            raise StopIteration
        self._fed.append(found)
        self._characters += len(found[1])
        return found[1]

    def take(self) -> list[tuple[int, str]]:
        fed, self._fed, self._characters = self._fed, [], 0
        return fed

    def push_back(self, fed: list[tuple[int, str]]) -> None:
        self._ahead += reversed(fed)
        self.ended = False


def json_lines(numbered: Iterator[tuple[int, str]], columns: list[str], trouble: Trouble) -> Iterator[Row]:
    """Objects to cells by key; new keys are appended to `columns`."""
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        value = {"text": value} if isinstance(value, str) else value
        if not isinstance(value, dict):
            trouble(number, "is no JSON object and was left out")
            continue
        columns += [key for key in value if key not in columns]
        yield Row(number, [_cell(value.get(column, "")) for column in columns], value)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
