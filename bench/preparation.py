"""What preparing a model takes, and what it gives: BERT-base for time and memory, a trained one for both."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench.bert_base import ensure, torch_python
from bench.limits import enter, held
from bench.memory import MB, highest, taken
from bench.progress import Steps
from bench.trained_checkpoint import ensure as ensure_trained

LEVELS = (25, 50)
# Of the fp32 file: the memory that a container with the pipeline may take, pages of files included.
LIMIT = 2.5
# `auto` tries all, whatever the gate refuses: the figures show what each costs, and the verdict.
_ALL = ("--precision", "auto", "--max-texts", "1000")


def _taken(field: str) -> float:
    """Of all children of this process, MB."""
    return sum(taken(process.pid, field) for process in psutil.Process().children(recursive=True))


def prepare(source: Path, *options: str, doors: Sequence[Path] = ()) -> dict[str, Any]:
    """model.json of what `sentiment-models prepare` makes of it, in the cgroup behind the doors."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "package"
        arguments = ("-m", "sentiment_models", "prepare", str(source), str(out), "--quiet", *options)
        torch_python(*arguments, before=partial(enter, doors))
        found: dict[str, Any] = json.loads((out / "model.json").read_text())
        return found


def full_size(console: Console) -> dict[str, Any]:
    """BERT-base with random weights through the whole pipeline: as it likes, then held to `LIMIT`."""
    checkpoint = ensure().checkpoint
    options = ("--precision", "auto", "--max-texts", "200")
    with Steps("preparation", 2, console) as steps:
        with (
            highest(partial(_taken, "Pss"), every=0.2) as peak,
            highest(partial(_taken, "Pss_Anon"), every=0.2) as own,
        ):
            steps.now("BERT-base, all precisions")
            begun = time.monotonic()
            made = prepare(checkpoint, *options)
            seconds = time.monotonic() - begun
        steps.done(f"{seconds:.0f} s, {peak[0]:.0f} MB")
        fp32 = next(one["bytes"] for one in made["gate"]["attempts"] if one["precision"] == "fp32")
        cores, begun = len(os.sched_getaffinity(0)), time.monotonic()
        with held(cores, int(LIMIT * fp32)) as doors:
            try:
                prepare(checkpoint, *options, doors=doors)
                held_seconds = time.monotonic() - begun
            except subprocess.CalledProcessError:
                held_seconds = None
        steps.done(f"held to {LIMIT} times the fp32 file: {held_seconds} s")
    return {
        "seconds_prepare": seconds,
        "seconds_held": held_seconds,
        "limit": LIMIT,
        "peak_bytes": peak[0] * MB,
        "peak_own_bytes": own[0] * MB,
        "fp32_bytes": fp32,
        "attempts": made["gate"]["attempts"],
    }


def trained(console: Console) -> dict[str, Any]:
    """A trained checkpoint at each precision, pruned or not, distilled or not."""
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
    }
