"""Which engine runs a directory, and how a plain checkpoint is understood. Needs no torch."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sentiment_service.engine import child
from sentiment_service.engine.openvino_engine import OpenVinoEngine, in_f32
from sentiment_service.engine.package import Manifest, ModelPackage
from sentiment_service.engine.protocol import ModelLoadError
from sentiment_service.engine.torch_engine import TorchEngine

from tests.service.tiny_model import Serve, write_package


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The files that are looked at before torch comes in; the weights are never read here."""
    folder = tmp_path / "my checkpoint"
    folder.mkdir()
    write_config(folder)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def write_config(folder: Path, **changes: Any) -> None:
    config = {"id2label": {"0": "负面", "1": "正面"}, "max_position_embeddings": 128, **changes}
    (folder / "config.json").write_text(json.dumps(config))


def test_auto_runs_an_ir_with_openvino_and_a_checkpoint_with_torch(package: Path, checkpoint: Path) -> None:
    assert isinstance(child.create("auto", package, 1), OpenVinoEngine)
    assert isinstance(child.create("openvino", package, 1), OpenVinoEngine)
    assert isinstance(child.create("auto", checkpoint, 1), TorchEngine)
    assert isinstance(child.create("torch", checkpoint, 1), TorchEngine)


def test_auto_prefers_the_ir_where_both_are(checkpoint: Path) -> None:
    write_package(checkpoint)
    assert isinstance(child.create("auto", checkpoint, 1), OpenVinoEngine)
    assert isinstance(child.create("torch", checkpoint, 1), TorchEngine)


def test_what_is_told_of_the_engine_is_what_runs(package: Path, checkpoint: Path, serve: Serve) -> None:
    def told(directory: Path) -> tuple[str, str]:
        client = serve(model_dir=directory)
        info = client.get("/api/v1/info").json()["model"]
        return info["engine"], client.get(f"/v2/models/{info['name']}").json()["platform"]

    assert told(package) == ("openvino", "openvino")
    assert told(checkpoint) == ("torch", "torch")


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"precision": "fp32"}, "f32"),
        ({"precision": "int8"}, ""),
        ({"precision": "int8", "inference_precision": "f32"}, "f32"),
        ({"precision": "int8", "inference_precision": "bf16"}, "bf16"),
    ],
)
def test_the_package_says_what_it_is_computed_in(package: Path, fields: dict[str, str], hint: str) -> None:
    manifest = json.loads((package / "model.json").read_text())
    manifest.pop("precision", None)
    assert Manifest.model_validate({**manifest, **fields}).hint == hint


@pytest.mark.parametrize(
    ("wanted", "preferred", "told"),
    [
        ("f32", "bf16", True),
        ("", "bf16", False),
        ("bf16", "f32", False),
        ("", "f16", True),
        ("bf16", "f16", True),
    ],
)
def test_no_cpu_computes_in_float16(wanted: str, preferred: str, told: bool) -> None:
    assert in_f32(wanted, preferred) is told


def test_an_engine_that_cannot_run_the_directory_says_so(package: Path, checkpoint: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"holds no model\.xml; ENGINE=torch runs a checkpoint"):
        child.create("openvino", checkpoint, 1)
    with pytest.raises(ModelLoadError, match=r"ENGINE=torch: .* holds no config\.json"):
        child.create("torch", package, 1)


def test_without_torch_the_remedy_is_named(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelLoadError, match=r"torch is not installed.*sentiment-operator\[service,torch\]"):
        TorchEngine(checkpoint, 1).load()


def test_a_checkpoint_describes_itself(checkpoint: Path) -> None:
    manifest = ModelPackage.read(checkpoint).manifest
    assert (manifest.name, manifest.labels, manifest.max_tokens) == ("my_checkpoint", ("负面", "正面"), 128)
    assert manifest.neutral.low == manifest.neutral.high
    other = ModelPackage.read(checkpoint).manifest.digest
    assert other == manifest.digest
    (checkpoint / "model.safetensors").write_bytes(b"other weights")
    assert ModelPackage.read(checkpoint).manifest.digest != manifest.digest


def test_the_tokenizer_may_limit_the_length_further(checkpoint: Path) -> None:
    limit = checkpoint / "tokenizer_config.json"
    limit.write_text('{"model_max_length": 64}')
    assert ModelPackage.read(checkpoint).manifest.max_tokens == 64
    limit.write_text('{"model_max_length": 1000000000000000019884624838656}')
    assert ModelPackage.read(checkpoint).manifest.max_tokens == 128


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"0": "positive", "1": "negative"}, "class 1 must be the positive one"),
        ({"0": "a", "1": "b", "2": "c"}, "must name two classes"),
        ([1, 2], "must name two classes"),
    ],
)
def test_labels_that_would_be_shown_wrong_are_refused(checkpoint: Path, labels: Any, message: str) -> None:
    write_config(checkpoint, id2label=labels)
    with pytest.raises(ModelLoadError, match=message):
        ModelPackage.read(checkpoint)


def test_labels_may_be_unnamed(checkpoint: Path) -> None:
    write_config(checkpoint, id2label=None)
    assert ModelPackage.read(checkpoint).manifest.labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", r"config\.json"),
        ("config.json", "[]", "not a JSON object"),
        ("tokenizer.json", None, r"has no tokenizer\.json"),
        ("model.safetensors", None, r"neither \*\.safetensors nor pytorch_model\.bin"),
    ],
)
def test_a_broken_checkpoint_names_the_file(
    checkpoint: Path, name: str, content: str | None, message: str
) -> None:
    if content is None:
        (checkpoint / name).unlink()
    else:
        (checkpoint / name).write_text(content)
    with pytest.raises(ModelLoadError, match=message):
        ModelPackage.read(checkpoint)


def test_a_package_may_hold_a_checkpoint_and_its_manifest_counts(checkpoint: Path) -> None:
    made = write_package(checkpoint.parent / "made")
    manifest = json.loads((made / "model.json").read_text())
    entry = manifest["files"]["tokenizer.json"]
    manifest["files"] = {"config.json": entry, "tokenizer.json": entry, "model.safetensors": entry}
    (checkpoint / "model.json").write_text(json.dumps(manifest))
    assert ModelPackage.read(checkpoint).manifest.name == "tiny"
    with pytest.raises(ModelLoadError, match=r"bytes, model\.json says"):
        ModelPackage.read(checkpoint).verify()
