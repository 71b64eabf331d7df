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
    trial,
)
from sentiment_models.calibrate import Floats
from sentiment_models.checkpoint import convert, layout, rewrite, tokens
from sentiment_models.checkpoint.convert import Converted
from sentiment_models.checkpoint.layout import Checkpoint
from sentiment_models.corpus import Example
from sentiment_models.evaluation import Evaluation
from sentiment_models.progress import Progress
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
class Pruning:
    """`percent` of the neurons go; `texts` to distil on: None, `bundled`, a path or an http(s) URL."""

    percent: int
    texts: str | None = None


@dataclass(frozen=True)
class Wish:
    """What is asked for. `evaluation` is `bundled`, a path or an http(s) URL; `texts` the most per part."""

    source: Source
    out: Path
    name: str | None = None
    precision: str = "auto"
    # Of the service, which the package is for: openvino or torch.
    engine: str = "openvino"
    labels: tuple[str, str] | None = None
    pruning: Pruning | None = None
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
        return self.work or self.out.parent / f".{self.out.name}.{shelf.WORK}{key}"

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
        done = _copy(fetched.folder, wish)
    else:
        texts = _evaluation(wish, credentials)
        unlabelled = _unlabelled(wish, credentials)
        recipe = _recipe(wish, fetched, texts, unlabelled)
        found = _whole(wish.out)
        if found is not None and found.get("recipe") == recipe:
            done = found
        else:
            wish.folder.mkdir(parents=True, exist_ok=True)
            with storage.judged(wish.folder):
                done = _make(wish, fetched, texts, unlabelled, recipe, progress)
    shutil.rmtree(wish.folder, ignore_errors=True)
    return done


def _make(
    wish: Wish,
    fetched: Fetched,
    texts: Evaluation,
    unlabelled: Sequence[str],
    recipe: str,
    progress: Progress,
) -> dict[str, Any]:
    progress.phase("Converting")
    checkpoint = layout.read(fetched.folder, wish.labels)
    tokenizer = tokens.build(checkpoint)
    tokenizer.enable_truncation(max_length=checkpoint.max_tokens)
    calibration, judged = _rows(tokenizer, texts.calibration), _rows(tokenizer, texts.judged)
    probe, fp32 = calibration[:CHECK_TEXTS], trial.ir(wish.folder, trial.WHOLE)
    converted = isolated.run(convert.convert, checkpoint, fp32, probe)
    progress.part(0.7)
    reference = isolated.run(measure.measure, fp32, "f32", [*probe, *calibration, *judged])
    _equal(converted.reference, reference.logits[: len(probe)])
    progress.say(f"{converted.parameters / 1e6:.1f} million parameters, {checkpoint.layout} layout")

    parameters = {trial.WHOLE: converted.parameters}
    if wish.pruning:
        small = quantise.Candidate("fp32", "none", wish.pruning.percent)
        parameters[small] = _prune(wish, checkpoint, tokenizer, calibration, unlabelled, small, progress)

    progress.phase("Judging")
    rows = trial.Rows(calibration, judged, calibration[:RANGE_TEXTS])
    scale = trial.Scale(texts, rows, wish.bars, reference.logits[len(probe) :], reference.milliseconds)
    wanted = quantise.order(wish.precision, wish.pruning.percent if wish.pruning else 0, wish.engine)
    attempts, chosen = trial.attempts(wanted, scale, wish.folder, wish.precision == "auto", progress)
    if chosen is None:
        raise faults.QualityGateFailed(
            "; ".join(f"{a.candidate.shown}: {a.verdict.refused}" for a in attempts)
        )

    progress.phase("Packaging")
    manifest = {
        "name": wish.package_name, "version": fetched.revision[:40], "source": wish.source.shown,
        "revision": fetched.revision, "labels": list(LABELS), "max_tokens": checkpoint.max_tokens,
        **scale.record(attempts, chosen),
        **({"precision": "", "inference_precision": ""} if wish.engine == "torch" else {}),
        "architecture": {"model_type": checkpoint.config["model_type"], "layout": checkpoint.layout,
                         "parameters": parameters[chosen.candidate.origin], "labels": list(checkpoint.labels),
                         "ignored_weights": list(converted.ignored)},
        "recipe": recipe,
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }  # fmt: skip

    def produce(folder: Path) -> None:
        if wish.engine == "torch":
            _equal(converted.reference, isolated.run(rewrite.rewrite, checkpoint, LABELS, folder, probe))
        else:
            source = trial.ir(wish.folder, chosen.candidate)
            shutil.copyfile(source, folder / "model.xml")
            shutil.copyfile(source.with_suffix(".bin"), folder / "model.bin")
        tokenizer.no_truncation()
        tokenizer.save(str(folder / "tokenizer.json"))

    storage.require(wish.out.parent, chosen.bytes)
    return package.write(wish.out, manifest, produce)


def _rows(tokenizer: Any, examples: Sequence[Example]) -> list[list[int]]:
    return [one.ids for one in tokenizer.encode_batch([example.text for example in examples])]


def _equal(expected: Floats, found: Floats) -> None:
    worst = float(np.abs(expected - found).max())
    if not worst <= convert.TOLERANCE:  # NaN is not
        raise faults.ConversionDiffers(f"a logit in fp32 differs by {worst:.2g} from the original's")


def _prune(
    wish: Wish,
    checkpoint: Checkpoint,
    tokenizer: Any,
    calibration: Sequence[Sequence[int]],
    unlabelled: Sequence[str],
    small: quantise.Candidate,
    progress: Progress,
) -> int:
    """Write the pruned model's fp32 IR; its number of parameters."""
    progress.phase("Pruning")
    made, probe = trial.ir(wish.folder, small), calibration[:CHECK_TEXTS]
    converted = isolated.run_long(
        progress.part, _pruned, checkpoint, made, small.pruned, calibration[:RANGE_TEXTS],
        [one.ids for one in tokenizer.encode_batch(list(unlabelled))], probe,
    )  # fmt: skip
    _equal(converted.reference, isolated.run(measure.measure, made, "f32", probe).logits)
    taught = f", distilled on {len(unlabelled)} texts" if unlabelled else ""
    progress.say(f"pruned to {converted.parameters / 1e6:.1f} million parameters{taught}")
    return converted.parameters


def _pruned(*args: Any) -> Converted:
    """In a process of its own: torch is not to be loaded in this one."""
    from sentiment_models.checkpoint.prune import prune

    return prune(*args)


def _evaluation(wish: Wish, credentials: Credentials) -> Evaluation:
    if wish.evaluation == "bundled":
        return evaluation.bundled(wish.texts)
    path, shown = _csv(wish, wish.evaluation, "evaluation.csv", credentials)
    return evaluation.read(path, shown, wish.texts)


def _unlabelled(wish: Wish, credentials: Credentials) -> tuple[str, ...]:
    if wish.pruning is None or wish.pruning.texts is None:
        return ()
    if wish.pruning.texts == "bundled":
        return evaluation.bundled_unlabelled()
    return evaluation.unlabelled(*_csv(wish, wish.pruning.texts, "unlabelled.csv", credentials))


def _csv(wish: Wish, place: str, name: str, credentials: Credentials) -> tuple[Path, str]:
    """(a file, how it is called): a path, or what a URL gave, under `name`."""
    if place.startswith(("http://", "https://")):
        path = wish.folder / name
        http.download(place, path, credentials, lambda *_: None, patience=wish.patience)
        return path, Source("http", place).shown
    path = Path(place)
    if not path.is_file():
        raise faults.EvaluationInvalid(f"{path} is not there", "Check the path, or the mounted ConfigMap.")
    return path, path.name


def _recipe(wish: Wish, fetched: Fetched, texts: Evaluation, unlabelled: Sequence[str]) -> str:
    """The same recipe makes the same package; model.json keeps it."""
    facts: list[Any] = [
        FORMAT, wish.source.shown, fetched.revision, wish.package_name, wish.precision, wish.labels,
        texts.sha256, wish.texts, wish.bars.accuracy_drop, wish.bars.calibration_rise,
    ]  # fmt: skip
    if wish.pruning:
        facts += [wish.pruning.percent, *unlabelled]
    if wish.engine != "openvino":  # what was made before there was a choice keeps its recipe
        facts.append(wish.engine)
    return f"sha256:{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"


def _whole(out: Path) -> dict[str, Any] | None:
    """The package that is there, when every file is as it should be."""
    try:
        return package.verify(out)
    except package.PackageError:
        return None


def _copy(folder: Path, wish: Wish) -> dict[str, Any]:
    """A source that is a finished package already: it was judged where it was made, but it must answer."""
    manifest = inspection.whole(folder)
    if (engine := package.engine(manifest["files"])) != wish.engine:
        raise faults.EngineMismatch(f"the package is for the engine {engine}, not for {wish.engine}")
    inspection.verify(folder)

    def produce(staging: Path) -> None:
        for name in manifest["files"]:
            shutil.copyfile(folder / name, staging / name)

    return package.write(wish.out, manifest, produce)
