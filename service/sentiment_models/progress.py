"""What the preparation is doing: bars for people, a JSON file for the machine that watches it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from sentiment_models.faults import Fault
from sentiment_models.sources.credentials import Credentials

# Phase → percent of the whole that is done when it begins.
PHASES = {
    "Resolving": 0,
    "Fetching": 2,
    "Converting": 45,
    "Pruning": 52,
    "Judging": 60,
    "Packaging": 97,
    "Succeeded": 100,
}
_EVERY = 0.5


class Progress:
    """`with Progress(…) as progress`; nothing of the credentials passes through it."""

    def __init__(self, report: Path | None, credentials: Credentials, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._report, self._redact, self._quiet = report, credentials.redact, quiet
        self._bars = Bars(
            TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(),
            console=Console(file=sys.stderr), disable=quiet,
        )  # fmt: skip
        self._task: Any = None
        self._written = 0.0
        self.state: dict[str, Any] = {"phase": "Resolving", "percent": 0}

    def __enter__(self) -> Progress:
        self._bars.__enter__()
        self.phase("Resolving")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.__exit__(kind, error, trace)

    def phase(self, name: str, /, **facts: Any) -> None:
        """A new phase begins."""
        if self._task is not None:
            self._bars.update(self._task, completed=1, total=1)
        self._task = self._bars.add_task(name, total=1, note="")
        self.state |= {"phase": name, "percent": PHASES[name], **facts}
        self._write()

    def part(self, share: float, note: str = "", **facts: Any) -> None:
        """`share` of the current phase, 0 … 1, is done."""
        self._bars.update(self._task, completed=share, note=self._redact(note))
        begin = PHASES[self.state["phase"]]
        end = min(value for value in PHASES.values() if value > begin)
        self.state |= {"percent": int(begin + (end - begin) * min(1.0, share)), **facts}
        if share >= 1 or time.monotonic() - self._written > _EVERY:
            self._write()

    def bytes(self, here: int, total: int | None) -> None:
        """Of the download; to be handed to a source."""
        note = f"{here / 1e6:.1f} MB" + (f" of {total / 1e6:.1f}" if total else "")
        self.part(here / total if total else 0.0, note, bytesDownloaded=here, bytesTotal=total)

    def say(self, text: str) -> None:
        """A line for people."""
        if not self._quiet:
            self._bars.console.print(self._redact(text), highlight=False, markup=False)

    def failed(self, fault: Fault) -> None:
        """The end, as a condition would say it."""
        self.state |= {
            "phase": "Failed",
            "reason": fault.reason,
            "message": fault.cause,
            "remedy": fault.remedy,
        }
        self._write()

    def succeeded(self, **facts: Any) -> None:
        self.phase("Succeeded", reason="Prepared", message="the package is checked and in its place", **facts)
        self._bars.update(self._task, completed=1)

    def _write(self) -> None:
        self._written = time.monotonic()
        if self._report is None:
            return
        # The kubelet passes on 4 KB.
        text = self._redact(json.dumps(self.state, ensure_ascii=False, separators=(",", ":"))) + "\n"
        self._report.parent.mkdir(parents=True, exist_ok=True)
        staging = self._report.with_name(f".{self._report.name}.tmp")
        try:
            staging.write_text(text, "utf-8")
            os.replace(staging, self._report)
        except OSError:  # a file that was mounted alone (/dev/termination-log) cannot be replaced
            staging.unlink(missing_ok=True)
            self._report.write_text(text, "utf-8")
