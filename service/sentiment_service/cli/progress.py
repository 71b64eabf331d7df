"""A progress bar on the terminal; silence where there is none."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Progress:
    """By bytes read, for the number of rows is known at the end; `total` None: of a pipe not even those."""

    def __init__(self, total: int | None, *, shown: bool) -> None:
        self._rows = 0
        self._bars = Bars(
            TextColumn("{task.fields[rows]:,} rows"),
            BarColumn(),
            TaskProgressColumn(show_speed=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not (shown and sys.stderr.isatty()),
        )
        self._task = self._bars.add_task("", total=total, rows=0)

    def advance(self, rows: int, read_bytes: int) -> None:
        """So many rows more were answered, and so much was read in all."""
        self._rows += rows
        self._bars.update(self._task, completed=read_bytes, rows=self._rows)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
