"""What was already answered of a file, so that an interrupted run goes on where it stopped.

A file beside the output: a first line that says of what it is, then one line a row. A process may end at any
moment, so a last line without end is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from sentiment_service.cli.outcome import Outcome, from_line, to_line


class Journal:
    """`key`: what must be the same for answers to count: the input, its column, the model."""

    def __init__(self, path: Path, key: dict[str, object]) -> None:
        self._path = path
        self.done = 0
        if self._belongs(key):
            self._drop_half_a_line()
        else:
            path.write_text(json.dumps(key, ensure_ascii=False) + "\n", "utf-8")
        self._file = path.open("a", encoding="utf-8")

    def append(self, outcomes: Iterable[Outcome]) -> None:
        """Handed to the system before it returns: a killed process loses nothing of it."""
        for outcome in outcomes:
            self._file.write(to_line(outcome))
            self.done += 1
        self._file.flush()

    def outcomes(self) -> Iterator[Outcome]:
        """All of them, in order."""
        with self._path.open(encoding="utf-8") as file:
            next(file)
            yield from map(from_line, file)

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """The output is whole."""
        self.close()
        self._path.unlink()

    def _belongs(self, key: dict[str, object]) -> bool:
        try:
            with self._path.open(encoding="utf-8") as file:
                return bool(json.loads(file.readline()) == key)
        except (OSError, ValueError):
            return False

    def _drop_half_a_line(self) -> None:
        whole = 0
        with self._path.open("rb+") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                self.done = number
            file.truncate(whole)
