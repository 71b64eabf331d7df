"""What preparing a model takes, and what it gives: BERT-base for time and memory, a trained one for both."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench.bert_base import ensure, torch_python
from bench.progress import Steps
from bench.trained_checkpoint import ensure as ensure_trained

LEVELS = (10, 25, 50, 75)
# Nothing is refused: the figures are to show what each costs. The gate's verdict is by its defaults.
_ALL = ("--precision", "auto", "--max-texts", "2000")


@contextmanager
def _highest() -> Iterator[list[int]]:
    """The greatest sum of Pss of this process's children in the block, bytes."""
    found, stop, own = [0], threading.Event(), psutil.Process()

    def watch() -> None:
        while not stop.wait(0.1):
            total = 0
            for process in own.children(recursive=True):
                with suppress(psutil.Error, OSError):
                    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
                    total += next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            found[0] = max(found[0], total)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def prepare(source: Path, *options: str) -> dict[str, Any]:
    """model.json of what `sentiment-models prepare` makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "package"
        torch_python("-m", "sentiment_models", "prepare", str(source), str(out), "--quiet", *options)
        found: dict[str, Any] = json.loads((out / "model.json").read_text())
        return found


def full_size(console: Console) -> dict[str, Any]:
    """BERT-base with random weights through the whole pipeline."""
    checkpoint = ensure().checkpoint
    with Steps("preparation", 1, console) as steps, _highest() as peak:
        steps.now("BERT-base, all precisions")
        begun = time.monotonic()
        made = prepare(checkpoint, "--precision", "auto", "--max-texts", "200")
        seconds = time.monotonic() - begun
        steps.done(f"{seconds:.0f} s, {peak[0] / 1e6:.0f} MB")
    return {
        "seconds_prepare": seconds,
        "peak_bytes": peak[0],
        "fp32_bytes": next(one["bytes"] for one in made["gate"]["attempts"] if one["precision"] == "fp32"),
        "attempts": made["gate"]["attempts"],
    }


def trained(console: Console) -> dict[str, Any]:
    """A trained checkpoint at each precision, pruned or not, distilled or not."""
    from sentiment_models.evaluation import bundled_unlabelled

    checkpoint = ensure_trained()
    attempts: dict[str, Any] = {}
    with Steps("pruning", 1 + 2 * len(LEVELS), console) as steps:
        steps.now("whole")
        whole = prepare(checkpoint, *_ALL)
        attempts["whole"] = whole["gate"]["attempts"]
        steps.done("whole")
        for percent in LEVELS:
            for how, options in (("pruned", ()), ("pruned and distilled", ("--distil", "bundled"))):
                name = f"{percent} % {how}"
                steps.now(name)
                made = prepare(checkpoint, *_ALL, "--prune", str(percent), *options)
                attempts[name] = [one for one in made["gate"]["attempts"] if one["pruned"]]
                steps.done(f"{name}: {100 * attempts[name][-1]['accuracy']:.2f} % in fp32")
    fp32 = next(one for one in attempts["whole"] if one["precision"] == "fp32")
    return {
        "attempts": attempts,
        "fp32_bytes": fp32["bytes"],
        "fp32_accuracy": fp32["accuracy"],
        "fp32_interval": fp32["accuracy_interval"],
        "texts": fp32["texts"],
        "unlabelled": len(bundled_unlabelled()),
    }
