"""Tells the person who waits what is measured, and how far it is."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Steps:
    """A bar over the steps of a part; each finished step leaves a line with its figure."""

    def __init__(self, title: str, total: int, console: Console) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.fields[title]}[/] {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            # Steps take from a second to half a minute.
            speed_estimate_period=600,
        )
        self._task = self._bar.add_task("", total=total, title=title)
        self._title = title
        self._begin = time.monotonic()

    def __enter__(self) -> Steps:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.update(self._task, description="")
        self._bar.stop()

    def now(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def done(self, text: str, steps: int = 1) -> None:
        self._bar.console.print(
            f"[{time.monotonic() - self._begin:6.1f} s] {self._title}: {text}", markup=False
        )
        self._bar.advance(self._task, steps)
