"""The engine alone, in a loop: `python -m bench.raw PACKAGE SECONDS TEXTS PLAN…` → JSON, texts/s by plan.

No HTTP, no tokenising: the sequences of so many texts are ready, and the answers are thrown away. A
checkpoint runs with torch. Plans:

    padded-512   one text at a time, padded to 512 tokens
    single       one text at a time, no padding
    arrival-N    batches of N in the order of arrival, padded to the longest
    sorted-N     sorted by length, batches of at most N padded tokens
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from sentiment_service.cpu import usable_threads
from sentiment_service.engine.child import create
from sentiment_service.engine.protocol import Engine
from sentiment_service.engine.tokenise import Tokeniser

from bench.measure import mixed

Rows = Sequence[Sequence[int]]


def batches(rows: Rows, plan: str) -> Iterator[Rows]:
    """The batches of a plan, once over all rows."""
    kind, _, size = plan.partition("-")
    if kind in ("single", "padded"):
        yield from ([row] for row in rows)
    elif kind == "arrival":
        yield from (rows[at : at + int(size)] for at in range(0, len(rows), int(size)))
    else:
        batch: list[Sequence[int]] = []
        for row in sorted(rows, key=len):
            if batch and len(row) * (len(batch) + 1) > int(size):
                yield batch
                batch = []
            batch.append(row)
        yield batch


def speed(engine: Engine, rows: Rows, plan: str, seconds: float) -> float:
    """Texts a second. `engine.parallel` runs go on at once, as in the service."""
    least = 512 if plan == "padded-512" else 1
    # One text at a time is the same work wherever it ends; batches of all lengths are not.
    piecewise = plan in ("single", "padded-512")

    def run(batch: Rows) -> int:
        if piecewise and time.perf_counter() - begin >= seconds:
            return 0
        width = max(least, *(len(row) for row in batch))
        ids = np.zeros((len(batch), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for at, row in enumerate(batch):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1
        engine.infer(ids, mask)
        return len(batch)

    done, begin = 0, time.perf_counter()
    with ThreadPoolExecutor(engine.parallel) as pool:
        while time.perf_counter() - begin < seconds:
            done += sum(pool.map(run, batches(rows, plan)))
    return done / (time.perf_counter() - begin)


def main(package: Path, seconds: float, texts: int, plans: Sequence[str]) -> None:
    tokeniser = Tokeniser(package / "tokenizer.json", 512)
    rows = [one.ids for one in tokeniser.encode(mixed(texts))]
    engine = create("auto", package, usable_threads())
    engine.load()
    for row in rows[:20]:
        engine.infer(np.array([row]), np.ones((1, len(row)), dtype=np.int64))
    json.dump({plan: speed(engine, rows, plan, seconds) for plan in plans}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
