"""fetch → convert → quantise → judge → package. Nothing of the result is seen before it is checked."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_models import (
    evaluation,
    faults,
    inspection,
    isolated,
    judge,
    measure,
    package,
    quantise,
    shelf,
    summary,
)
from sentiment_models.calibrate import Calibration, Floats
from sentiment_models.checkpoint import convert, layout, tokens
from sentiment_models.corpus import Example
from sentiment_models.evaluation import Evaluation
from sentiment_models.progress import Progress
from sentiment_models.quantise import Candidate
from sentiment_models.sources import archive, fetch, http, storage
from sentiment_models.sources.credentials import Credentials
from sentiment_models.sources.fetch import Fetched
from sentiment_models.sources.spec import Source

LABELS = ("负面", "正面")
RANGE_TEXTS = 128
"""Calibration texts that post-training quantisation takes its ranges from."""
CHECK_TEXTS = 16
FORMAT = 1
"""Raised when the same inputs make another package."""
LIBRARIES = ("openvino", "nncf", "torch", "transformers", "tokenizers", "safetensors")


@dataclass(frozen=True)
class Wish:
    """What is asked for. `evaluation` is `bundled`, a path or an http(s) URL; `texts` the most per part."""

    source: Source
    out: Path
    name: str | None = None
    precision: str = "auto"
    labels: tuple[str, str] | None = None
    evaluation: str = "bundled"
    bars: judge.Bars = field(default_factory=judge.Bars)
    texts: int = 1000
    work: Path | None = None
    max_unpacked: int = archive.MAX_BYTES
    patience: http.Patience = field(default_factory=http.Patience)
    # A whole package at `out` is the result, whatever it was made from; nobody else writes beside it.
    once: bool = False
    # Packages beside `out` that stay; None: all, and half-made ones too.
    keep: tuple[str, ...] | None = None

    @property
    def folder(self) -> Path:
        """Where downloads and half-made files lie: the same for the same source, so that they resume."""
        key = hashlib.sha256(f"{self.source.shown}@{self.source.revision}".encode()).hexdigest()[:12]
        return self.work or self.out.parent / f".{self.out.name}.work-{key}"

    @property
    def package_name(self) -> str:
        """The given one, or the source's last part, as far as a package may be named so."""
        last = re.sub(r"\.(tar\.\w+|tar|tgz|zip)$", "", self.source.shown.rstrip("/").rpartition("/")[2])
        return self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.")[:128] or "model"


def prepare(wish: Wish, credentials: Credentials, progress: Progress) -> dict[str, Any]:
    """The manifest of the finished package at `wish.out`. Faults leave what was there before."""
    with storage.faults(), shelf.alone(wish.out.parent) if wish.once else nullcontext():
        if wish.keep is not None:
            for name in shelf.sweep(wish.out.parent, {wish.out.name, *wish.keep}):
                progress.say(f"removed {name}: nobody uses it any more")
        done = _whole(wish.out) if wish.once else None
        if done is None:
            done = _prepare(wish, credentials, progress)
    progress.succeeded(**summary.facts(done), package=str(wish.out))
    return done


def _prepare(wish: Wish, credentials: Credentials, progress: Progress) -> dict[str, Any]:
    progress.phase("Fetching", source=wish.source.shown)
    fetched = fetch.fetch(
        wish.source, wish.folder, credentials, progress.bytes, wish.max_unpacked, wish.patience
    )
    progress.part(1.0, fetched.revision[:20], revision=fetched.revision)
    if (fetched.folder / package.MANIFEST).is_file():
        done = _copy(fetched.folder, wish.out)
    else:
        texts = _evaluation(wish, credentials)
        recipe = _recipe(wish, fetched, texts)
        found = _whole(wish.out)
        if found is not None and found.get("recipe") == recipe:
            done = found
        else:
            wish.folder.mkdir(parents=True, exist_ok=True)
            done = _make(wish, fetched, texts, recipe, progress)
    shutil.rmtree(wish.folder, ignore_errors=True)
    return done


def _make(wish: Wish, fetched: Fetched, texts: Evaluation, recipe: str, progress: Progress) -> dict[str, Any]:
    progress.phase("Converting")
    checkpoint = layout.read(fetched.folder, wish.labels)
    tokenizer = tokens.build(checkpoint)
    tokenizer.enable_truncation(max_length=checkpoint.max_tokens)
    calibration, judged = _rows(tokenizer, texts.calibration), _rows(tokenizer, texts.judged)
    fp32 = wish.folder / "fp32" / "model.xml"
    fp32.parent.mkdir(exist_ok=True)
    probe = calibration[:CHECK_TEXTS]
    converted = isolated.run(convert.convert, checkpoint, fp32, probe)
    progress.part(0.7)
    reference = isolated.run(measure.measure, fp32, "f32", [*probe, *calibration, *judged])
    _equal(converted.reference, reference.logits[: len(probe)])
    progress.say(f"{converted.parameters / 1e6:.1f} million parameters, {checkpoint.layout} layout")

    progress.phase("Judging")
    scale = Judging(texts, calibration, judged, wish.bars, reference.logits[len(probe) :])
    attempts, chosen = _attempts(wish, scale, fp32, reference.milliseconds, progress)
    if chosen is None:
        raise faults.QualityGateFailed("; ".join(f"{a.precision}: {a.verdict.refused}" for a in attempts))

    progress.phase("Packaging")
    manifest = {
        "name": wish.package_name, "version": fetched.revision[:40], "source": wish.source.shown,
        "revision": fetched.revision, "labels": list(LABELS), "max_tokens": checkpoint.max_tokens,
        **scale.record(attempts, chosen),
        "architecture": {"model_type": checkpoint.config["model_type"], "layout": checkpoint.layout,
                         "parameters": converted.parameters, "labels": list(checkpoint.labels),
                         "ignored_weights": list(converted.ignored)},
        "recipe": recipe,
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }  # fmt: skip

    def produce(folder: Path) -> None:
        source = _ir(wish.folder, Candidate(chosen.precision, chosen.quantisation))
        shutil.copyfile(source, folder / "model.xml")
        shutil.copyfile(source.with_suffix(".bin"), folder / "model.bin")
        tokenizer.no_truncation()
        tokenizer.save(str(folder / "tokenizer.json"))

    storage.require(wish.out.parent, chosen.bytes)
    return package.write(wish.out, manifest, produce)


class Judging:
    """fp32's logits, and what a candidate's are compared with."""

    def __init__(
        self,
        texts: Evaluation,
        calibration: Sequence[Sequence[int]],
        judged: Sequence[Sequence[int]],
        bars: judge.Bars,
        logits: Floats,
    ) -> None:
        self.texts, self.bars = texts, bars
        self.rows = [*calibration, *judged]
        self.ranges = calibration[:RANGE_TEXTS]
        self.labels = np.array([e.label for e in (*texts.calibration, *texts.judged)], dtype=np.int64)
        self.cut = len(calibration)
        self.calibrations: dict[tuple[str, str], Calibration] = {}
        self.scores, self.hits = self._score(("fp32", "none"), logits)
        if self.scores.accuracy_interval[1] < 0.5:
            raise faults.LabelsReversed(
                f"the model is right in {self.scores.accuracy * 100:.1f} % of the judged texts"
            )

    def _score(self, key: tuple[str, str], logits: Floats) -> tuple[judge.Scores, Any]:
        found, self.fitted = judge.fit(logits[: self.cut], self.labels[: self.cut])
        self.calibrations[key] = found
        rest, labels = logits[self.cut :], self.labels[self.cut :]
        return judge.score(rest, labels, found), judge.right(rest, labels, found)

    def attempt(self, one: Candidate, found: measure.Measured, size: int) -> judge.Attempt:
        scores, hits = self._score((one.precision, one.quantisation), found.logits)
        verdict = judge.compare(self.scores, scores, self.hits, hits, self.bars)
        return judge.Attempt(one.precision, one.quantisation, found.milliseconds, size, scores, verdict)

    def record(self, attempts: Sequence[judge.Attempt], chosen: judge.Attempt) -> dict[str, Any]:
        """The part of model.json that the gate decides."""
        found = self.calibrations[chosen.precision, chosen.quantisation]
        hint = Candidate(chosen.precision, chosen.quantisation).hint
        return {
            "precision": chosen.precision, "quantisation": chosen.quantisation, "inference_precision": hint,
            "temperature": found.temperature, "bias": found.bias, "threshold": found.threshold,
            "neutral": {"low": found.low, "high": found.high},
            "accuracy": {"fp32": self.scores.accuracy, chosen.precision: chosen.scores.accuracy},
            "macro_f1": chosen.scores.macro_f1, "ece": chosen.scores.ece,
            "gate": {
                "max_accuracy_drop": self.bars.accuracy_drop,
                "max_calibration_rise": self.bars.calibration_rise,
                "evaluation": {"source": self.texts.source, "sha256": self.texts.sha256,
                               "calibration_texts": self.cut, "judged_texts": len(self.labels) - self.cut},
                "calibration_fitted": self.fitted,
                "attempts": [one.record() for one in attempts],
            },
        }  # fmt: skip


def _attempts(
    wish: Wish, scale: Judging, fp32: Path, fp32_milliseconds: float, progress: Progress
) -> tuple[list[judge.Attempt], judge.Attempt | None]:
    """`auto`: all, and the fastest that passed; else from the asked one on, and the first that passed."""
    wanted = quantise.order(wish.precision)
    attempts: list[judge.Attempt] = []
    for number, one in enumerate(wanted):
        progress.part(number / len(wanted), one.shown)
        ir = _ir(wish.folder, one)
        if one.precision != "fp32":
            ir.parent.mkdir(exist_ok=True)
            isolated.run(quantise.make, one, fp32, ir, scale.ranges)
        found = isolated.run(measure.measure, ir, one.hint, scale.rows)
        if one.precision == "fp32":
            found = measure.Measured(found.logits, fp32_milliseconds)
        size = ir.stat().st_size + ir.with_suffix(".bin").stat().st_size
        attempts.append(scale.attempt(one, found, size))
        last = attempts[-1]
        verdict = "passes" if last.verdict.passed else f"refused: {last.verdict.refused}"
        progress.say(
            f"{one.shown}: accuracy {last.scores.accuracy * 100:.2f} % ({last.verdict.drop * -100:+.2f}), "
            f"calibration error {last.scores.ece * 100:.2f} %, {last.milliseconds:.1f} ms, "
            f"{size / 1e6:.0f} MB: {verdict}"
        )
        if wish.precision != "auto" and last.verdict.passed:
            return attempts, last
    return attempts, judge.fastest(attempts)


def _ir(work: Path, one: Candidate) -> Path:
    folder = "fp32" if one.precision == "fp32" else f"{one.precision}-{one.quantisation}"
    return work / folder / "model.xml"


def _rows(tokenizer: Any, examples: Sequence[Example]) -> list[list[int]]:
    return [one.ids for one in tokenizer.encode_batch([example.text for example in examples])]


def _equal(expected: Floats, found: Floats) -> None:
    worst = float(np.abs(expected - found).max())
    if not worst <= convert.TOLERANCE:  # NaN is not
        raise faults.ConversionDiffers(f"a logit in fp32 differs by {worst:.2g} from the original's")


def _evaluation(wish: Wish, credentials: Credentials) -> Evaluation:
    if wish.evaluation == "bundled":
        return evaluation.bundled(wish.texts)
    if wish.evaluation.startswith(("http://", "https://")):
        shown = Source("http", wish.evaluation).shown
        path = wish.folder / "evaluation.csv"
        http.download(wish.evaluation, path, credentials, lambda *_: None, patience=wish.patience)
    else:
        path, shown = Path(wish.evaluation), Path(wish.evaluation).name
        if not path.is_file():
            raise faults.EvaluationInvalid(
                f"{path} is not there", "Check the path, or the mounted ConfigMap."
            )
    return evaluation.read(path, shown, wish.texts)


def _recipe(wish: Wish, fetched: Fetched, texts: Evaluation) -> str:
    """The same recipe makes the same package; model.json keeps it."""
    facts = [
        FORMAT, wish.source.shown, fetched.revision, wish.package_name, wish.precision, wish.labels,
        texts.sha256, wish.texts, wish.bars.accuracy_drop, wish.bars.calibration_rise,
    ]  # fmt: skip
    return f"sha256:{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"


def _whole(out: Path) -> dict[str, Any] | None:
    """The package that is there, when every file is as it should be."""
    try:
        return package.verify(out)
    except package.PackageError:
        return None


def _copy(folder: Path, out: Path) -> dict[str, Any]:
    """A source that is a finished package already: it was judged where it was made, but it must answer."""
    inspection.verify(folder)
    manifest = package.verify(folder)

    def produce(staging: Path) -> None:
        for name in package.FILES:
            shutil.copyfile(folder / name, staging / name)

    return package.write(out, manifest, produce)
