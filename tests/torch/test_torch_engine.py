"""The torch engine on tiny random checkpoints; `make test-torch` runs these in an environment with torch."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentiment_service.engine.child import create, infer
from sentiment_service.engine.protocol import ModelLoadError
from sentiment_service.engine.torch_engine import TorchEngine

from tests.service.running import running, wait_for
from tests.torch.checkpoints import ROWS, build

pytestmark = pytest.mark.torch


def logits(engine: Any) -> Any:
    engine.load()
    return infer(engine, ROWS, 32)


def test_torch_and_openvino_give_the_same_logits(checkpoint: Path, tmp_path: Path) -> None:
    import openvino as ov  # type: ignore[import-untyped, unused-ignore]
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.export import convert

    class Logits(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.bert = build()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits

    ov.save_model(convert(Logits()), str(tmp_path / "model.xml"), compress_to_fp16=False)  # type: ignore[arg-type, unused-ignore]
    chance = np.random.default_rng(1)
    rows = [chance.integers(0, 128, length).tolist() for length in chance.integers(3, 30, 64)]
    (checkpoint / "model.json").write_text('{"precision": "fp32"}')
    engine = TorchEngine(checkpoint, 1)
    engine.load()
    # Not with the default precision: where the CPU has bf16, OpenVINO runs fp32 models in it.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(tmp_path / "model.xml", "CPU", exact)
    for row in rows:
        ids = np.array([row], dtype=np.int64)
        expected: Any = compiled({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        np.testing.assert_allclose(infer(engine, [row], 32), expected, atol=2e-3)


def test_padding_changes_nothing(checkpoint: Path) -> None:
    (checkpoint / "model.json").write_text('{"precision": "fp32"}')
    engine = TorchEngine(checkpoint, 1)
    together = logits(engine)
    for row, ids in enumerate(ROWS):
        np.testing.assert_allclose(infer(engine, [ids], 32)[0], together[row], atol=1e-5)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_the_manifest_chooses_the_type(checkpoint: Path, precision: str, dtype: str) -> None:
    (checkpoint / "model.json").write_text(json.dumps({"precision": precision}))
    engine = TorchEngine(checkpoint, 1)
    assert np.isfinite(logits(engine)).all()
    assert str(next(engine._model.parameters()).dtype) == f"torch.{dtype}"


def test_a_checkpoint_is_served(checkpoint: Path, tmp_path: Path) -> None:
    """MODEL_DIR at a plain checkpoint, ENGINE=auto: the server's own processes answer over HTTP."""
    engine = create("auto", checkpoint, 1)
    engine.load()
    expected = infer(engine, [(2, 4, 10, 3)], 32)[0]
    with running(checkpoint, tmp_path, warm_up=True) as service:
        # Importing torch and transformers alone takes seconds, on a busy machine many.
        wait_for("the model", service.ready, patience=300)
        answer = service.analyze("好般")
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    positive = 1 / (1 + np.exp(expected[0] - expected[1]))
    assert data["sentiment"] == ("积极" if positive >= 0.5 else "消极")
    assert data["confidence"] == pytest.approx(max(positive, 1 - positive), abs=1e-3)


def test_a_prepared_checkpoint_is_served(tmp_path: Path) -> None:
    """ENGINE=torch and the package that `sentiment-models prepare --engine torch` makes of a checkpoint."""
    import torch
    from sentiment_models.__main__ import main
    from sentiment_service.engine.model import Model

    from tests.models import checkpoints

    source = checkpoints.structbert(tmp_path / "checkpoint")
    options = ["--engine", "torch", "--max-texts", "300", "--quiet"]
    assert main(["prepare", str(source), str(tmp_path / "package"), *options]) == 0
    with running(tmp_path / "package", tmp_path, warm_up=True, engine="torch") as service:
        wait_for("the model", service.ready, patience=300)
        data = service.analyze("房间很大，服务也好").json()["data"]
        told = service.http.get("/api/v1/info").json()["model"]
    assert (told["engine"], told["precision"]) == ("torch", "")
    model = Model.read(tmp_path / "package")
    [encoded] = model.encode(["房间很大，服务也好"])
    with torch.inference_mode():
        first, second = checkpoints.trained()(input_ids=torch.tensor([encoded.ids])).logits[0].tolist()
    expected = model.decide((first, second), encoded)
    assert data["sentiment"] == expected.sentiment.chinese
    assert data["confidence"] == pytest.approx(expected.confidence, abs=1e-3)
    # Its log is read by lines of JSON.
    assert "Loading weights" not in (tmp_path / "service.log").read_text()
    with running(tmp_path / "package", tmp_path, engine="openvino") as service:
        refused = service.analyze("好")
    assert refused.status_code == 503
    assert "holds no model.xml; ENGINE=torch runs a checkpoint" in refused.json()["error"]["message"]


def test_a_run_that_does_not_fit_into_memory_is_split(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    engine = TorchEngine(checkpoint, 1)
    expected = logits(engine)
    whole, sizes = TorchEngine._forward, []

    def short(self: TorchEngine, ids: Any, mask: Any) -> Any:
        sizes.append(len(ids))
        if len(ids) > most:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 1 GiB.\nSee the documentation"
            )
        return whole(self, ids, mask)

    monkeypatch.setattr(TorchEngine, "_forward", short)
    most = 1
    np.testing.assert_allclose(infer(engine, ROWS, 32), expected, atol=1e-5)
    assert sizes == [3, 1, 2, 1, 1]
    most = 0
    with pytest.raises(RuntimeError, match=r"^no memory left for one text: CUDA out of memory[^\n]*$"):
        infer(engine, ROWS, 32)


def test_no_attention_is_chosen_that_needs_a_plan_for_each_shape(checkpoint: Path) -> None:
    """Seen on an H100: 76 ms for a text of a length that had not come before."""
    import torch

    TorchEngine(checkpoint, 1).load()
    cuda = torch.backends.cuda
    assert not cuda.cudnn_sdp_enabled()
    assert cuda.flash_sdp_enabled()
    assert cuda.mem_efficient_sdp_enabled()


def test_a_token_that_the_model_does_not_have_is_told_so(checkpoint: Path) -> None:
    """On a GPU the access would be a fault after which nothing runs any more."""
    engine = TorchEngine(checkpoint, 1)
    engine.load()
    with pytest.raises(ValueError, match=r"token 128 is none of the model's 128"):
        infer(engine, [(2, 128, 3)], 32)
    assert np.isfinite(infer(engine, ROWS, 32)).all()


def test_old_pickled_weights_are_read_as_plain_weights(checkpoint: Path) -> None:
    import torch

    expected = logits(TorchEngine(checkpoint, 1))
    (checkpoint / "model.safetensors").unlink()
    torch.save(build().state_dict(), checkpoint / "pytorch_model.bin")
    np.testing.assert_array_equal(logits(TorchEngine(checkpoint, 1)), expected)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(checkpoint: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (proof,))

    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(pickle.dumps({"bert": Evil()}))
    with pytest.raises(ModelLoadError):
        TorchEngine(checkpoint, 1).load()
    assert not proof.exists()


def test_code_of_a_checkpoint_is_never_run(checkpoint: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    config = json.loads((checkpoint / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {
        "AutoConfig": "own.C", "AutoModelForSequenceClassification": "own.M"}}  # fmt: skip
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "own.py").write_text(f"import pathlib; pathlib.Path({str(proof)!r}).touch()\n")
    with pytest.raises(ModelLoadError):
        TorchEngine(checkpoint, 1).load()
    assert not proof.exists()


def test_missing_weights_are_not_made_up(checkpoint: Path) -> None:
    from safetensors.numpy import load_file, save_file  # type: ignore[import-not-found, unused-ignore]

    path = checkpoint / "model.safetensors"
    kept = {name: value for name, value in load_file(path).items() if not name.startswith("classifier")}
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"no weights for classifier\.bias, classifier\.weight"):
        TorchEngine(checkpoint, 1).load()


def test_three_classes_are_refused(tmp_path: Path) -> None:
    build(num_labels=3).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["id2label"] = {"0": "a", "1": "b", "2": "c"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLoadError):
        TorchEngine(tmp_path, 1).load()
