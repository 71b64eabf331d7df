"""`sentiment-service analyze`: a file's texts judged on this machine, without a server."""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from sentiment_service.cli.journal import Journal
from sentiment_service.cli.judge import WINDOW, Judge, judging
from sentiment_service.cli.outcome import Outcome
from sentiment_service.cli.progress import Progress
from sentiment_service.cli.records import Row
from sentiment_service.cli.source import Source, SourceError
from sentiment_service.cli.writers import Csv, JsonLines, Table, TooManyRowsError, Writer, Xlsx
from sentiment_service.engine.catalogue import Catalogue
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.settings import Settings

_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "xlsx"}
_TROUBLES_SHOWN = 5


class Troubles:
    """What was wrong with lines: the first few in words, the others counted."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._count = 0

    def __call__(self, line: int, what: str) -> None:
        self._count += 1
        if self._count <= _TROUBLES_SHOWN:
            self._found.append(f"line {line} {what}")

    def lines(self) -> Iterator[str]:
        yield from self._found
        if self._count > _TROUBLES_SHOWN:
            yield f"{self._count - _TROUBLES_SHOWN} more lines like these"


def run(options: argparse.Namespace, settings: Settings) -> int:
    """0 when every row was read; 1 with a sentence when that can't be; 130 when interrupted."""
    kind = (
        options.format or _BY_SUFFIX.get(options.output.suffix.lower(), "")
        if options.output
        else options.format
    )
    kind = kind or "table"
    if kind == "xlsx" and not options.output:
        return _fail("a workbook needs a file: give -o OUT.xlsx")
    if options.file == "-":
        # A read from a pipe can't be interrupted otherwise, and nothing would be kept anyway.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return asyncio.run(_Analysis(options, settings, kind).run())
    except KeyboardInterrupt:
        again = "; the same command goes on from there" if options.output else ""
        print(f"\nsentiment-service: interrupted{again}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read has had enough; the interpreter must not try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SourceError, TooManyRowsError, ModelUnavailableError) as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or options.file}: {error.strerror or error}")


def _fail(message: str) -> int:
    print(f"sentiment-service: {message}", file=sys.stderr)
    return 1


class _Analysis:
    def __init__(self, options: argparse.Namespace, settings: Settings, kind: str) -> None:
        self._settings = settings
        self._kind = kind
        self._column = options.column
        self._path = None if options.file == "-" else Path(options.file)
        self._output: Path | None = options.output
        self._counts: Counter[str] = Counter()

    async def run(self) -> int:
        models = Catalogue(self._settings.packages)
        digest = models.manifest(models.default).digest
        troubles = Troubles()
        with ExitStack() as stack:
            source = self._open(stack, troubles)
            progress = Progress(
                self._path.stat().st_size if self._path else None, shown=not self._on_screen()
            )
            stack.enter_context(progress)
            async with judging(self._settings) as judge:
                if self._path and self._output:
                    await self._resumably(judge, source, digest, progress)
                else:
                    with self._writer(source) as writer:
                        async for window in judge.stream(_windows(source.rows(), source.text)):
                            self._take(progress, source, (outcome for _, outcome in window))
                            for row, outcome in window:
                                writer.write(row, outcome)
        self._report(troubles)
        return 0

    def _open(self, stack: ExitStack, troubles: Troubles) -> Source:
        stream: BinaryIO = stack.enter_context(self._path.open("rb")) if self._path else sys.stdin.buffer
        return Source(stream, str(self._path or "standard input"), self._column, troubles)

    async def _resumably(self, judge: Judge, source: Source, digest: str, progress: Progress) -> None:
        """Answers go to a journal first; the output is written of it at the end, whole or not at all."""
        assert self._path is not None
        assert self._output is not None
        facts = self._path.stat()
        key: dict[str, object] = {
            "input": str(self._path.resolve()),
            "bytes": facts.st_size,
            "changed": facts.st_mtime_ns,
            "column": source.columns[source.text],
            "model": digest,
            "max_text_length": self._settings.max_text_length,
        }
        journal = Journal(self._output.with_name(self._output.name + ".partial"), key)
        try:
            self._take(progress, source, journal.outcomes())
            rest = itertools.islice(source.rows(), journal.done, None)
            async for window in judge.stream(_windows(rest, source.text)):
                outcomes = [outcome for _, outcome in window]
                journal.append(outcomes)
                self._take(progress, source, outcomes)
            with self._path.open("rb") as stream:
                again = Source(stream, str(self._path), self._column, lambda *_: None)
                # Of JSON Lines all keys are known by now.
                again.columns[:] = source.columns
                with self._writer(again) as writer:
                    for row, outcome in zip(again.rows(), journal.outcomes(), strict=True):
                        writer.write(row, outcome)
            journal.remove()
        finally:
            journal.close()

    def _take(self, progress: Progress, source: Source, outcomes: Iterable[Outcome]) -> None:
        before = self._counts.total()
        self._counts.update(outcome.sentiment for outcome in outcomes)
        progress.advance(self._counts.total() - before, source.read_bytes)

    @contextmanager
    def _writer(self, source: Source) -> Iterator[Writer]:
        if self._output is None:
            _utf8(sys.stdout)
            writer = self._make(source, sys.stdout)
            yield writer
            writer.close()
            return
        whole = self._output.with_name(self._output.name + ".new")
        try:
            if self._kind == "xlsx":
                writer = Xlsx(whole, source.columns, source.sample_rows)
                yield writer
                writer.close()
            else:
                with whole.open("w", encoding="utf-8", newline="") as stream:
                    writer = self._make(source, stream)
                    yield writer
                    writer.close()
            whole.replace(self._output)
        finally:
            whole.unlink(missing_ok=True)

    def _make(self, source: Source, stream: TextIO) -> Writer:
        if self._kind == "csv":
            return Csv(stream, source.columns, marked=self._output is not None)
        if self._kind == "jsonl":
            return JsonLines(stream, source.columns)
        return Table(stream, source.text, shutil.get_terminal_size().columns)

    def _on_screen(self) -> bool:
        """The rows themselves show how far it is."""
        return self._output is None and sys.stdout.isatty()

    def _report(self, troubles: Troubles) -> None:
        for line in troubles.lines():
            print(f"sentiment-service: {line}", file=sys.stderr)
        rows = self._counts.total()
        shares = (
            [f"{name} {self._counts[name] / rows:.1%}" for name in ("积极", "中性", "消极")] if rows else []
        )
        if failed := self._counts[""]:
            shares.append(f"{failed} without an answer (see error)")
        print(f"{rows} rows: {', '.join(shares) or 'none'}", file=sys.stderr)


def _utf8(stream: TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")


def _windows(rows: Iterator[Row], text: int) -> Iterator[list[tuple[Row, str]]]:
    while window := [(row, row.cells[text]) for row in itertools.islice(rows, WINDOW)]:
        yield window
