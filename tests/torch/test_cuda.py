"""The torch engine and the service on a real GPU; `make test-cuda` where there is one."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentiment_service.engine.child import infer
from sentiment_service.engine.torch_engine import TorchEngine

from tests.service.running import Load, Running, running, wait_for
from tests.torch.checkpoints import ROWS, build, write_tokenizer

pytestmark = pytest.mark.cuda

# Of the logits' length; what a type's digits give.
TOLERANCES = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 5e-2, "": 5e-2}
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "": "bfloat16"}
MB = 1 << 20


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A checkpoint whose runs of 500 texts take hundreds of MB."""
    folder = tmp_path / "wide"
    size = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 32768}
    build(**size, initializer_range=0.02).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


@contextmanager
def served(package: Path, folder: Path, **settings: Any) -> Iterator[Running]:
    with running(package, folder, warm_up=True, **settings) as service:
        wait_for("the model", service.ready, patience=120)
        yield service


def free() -> int:
    import torch  # type: ignore[import-not-found, unused-ignore]

    left, _ = torch.cuda.mem_get_info()
    return int(left)


@contextmanager
def taken(leave: int) -> Iterator[None]:
    """All of the GPU's memory but so many bytes is another's."""
    import torch

    held = [torch.empty(max(0, free() - leave), dtype=torch.uint8, device="cuda")]
    try:
        yield
    finally:
        held.clear()
        torch.cuda.empty_cache()


def texts(count: int) -> list[str]:
    """All different, and as long as the model takes."""
    letters = "好差快慢棒一般"
    return ["".join(letters[number // 7**place % 7] for place in range(29)) for number in range(count)]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", ""])
def test_the_gpu_gives_the_cpus_logits_in_the_type_that_the_manifest_names(
    checkpoint: Path, precision: str
) -> None:
    import torch

    if precision:
        (checkpoint / "model.json").write_text(json.dumps({"precision": precision}))
    engine = TorchEngine(checkpoint, 1)
    engine.load()
    assert engine.device == f"cuda: {torch.cuda.get_device_name()}"
    parameter = next(engine._model.parameters())
    assert (parameter.device.type, str(parameter.dtype)) == ("cuda", f"torch.{DTYPES[precision]}")
    model = build()
    for row in ROWS:
        with torch.inference_mode():
            expected = model(input_ids=torch.tensor([row])).logits.numpy()
        error = np.linalg.norm(infer(engine, [row], 32) - expected) / np.linalg.norm(expected)
        assert error < TOLERANCES[precision], (row, error)


def test_a_run_on_a_gpu_costs_as_much_as_many_tokens(checkpoint: Path) -> None:
    engine = TorchEngine(checkpoint, 1)
    engine.load()
    assert 256 < engine.overhead <= 16384


def test_two_http_processes_share_one_engine_on_the_gpu(checkpoint: Path, tmp_path: Path) -> None:
    with served(checkpoint, tmp_path, workers=2) as service:
        with Load(service, 8) as load:
            wait_for("many answers", lambda: load.answered() > 500)
        assert set(load.statuses) == {200}
        assert len(service.engines()) == 1
        [told] = [entry for entry in service.logs() if entry["message"] == "model loaded"]
        assert told["device"].startswith("cuda: ")
        # Others' threads, here those of the load, keep it from being every run.
        assert service.metric("structbert_batch_size_sum") > service.metric("structbert_batch_size_count")


def test_a_killed_engine_is_replaced_and_nobody_but_its_last_run_notices(
    checkpoint: Path, tmp_path: Path
) -> None:
    with served(checkpoint, tmp_path) as service, Load(service) as load:
        wait_for("an engine that lived long", lambda: load.answered() > 2000, patience=60)
        gone = service.engine().pid
        os.kill(gone, signal.SIGKILL)
        wait_for("another engine", lambda: [one for one in service.engines() if one.pid != gone])
        load.goes_on()
        load.stop()
        assert not load.errors
        assert len(load.statuses) - load.answered() <= 4, set(load.statuses)


def test_an_idle_unload_gives_the_gpus_memory_back(wide: Path, tmp_path: Path) -> None:
    before = free()
    with served(wide, tmp_path, idle_unload_seconds=2) as service:
        assert before - free() > 300 * MB
        wait_for("the memory is back", lambda: before - free() < 32 * MB)
        assert not service.engines()
        assert service.ready()
        assert service.analyze("好").status_code == 200


def test_a_run_that_does_not_fit_beside_others_memory_is_split(wide: Path, tmp_path: Path) -> None:
    batch = {"texts": texts(500)}
    with served(wide, tmp_path) as service:
        with taken(leave=96 * MB):
            answer = service.http.post("/api/v1/sentiment/analyze/batch", json=batch)
        assert answer.status_code == 200, answer.text
        whole = service.http.post("/api/v1/sentiment/analyze/batch", json=batch).json()["data"]
        pairs = zip(answer.json()["data"], whole, strict=True)
        assert all(abs(one["confidence"] - other["confidence"]) < 0.05 for one, other in pairs)
        assert service.metric("structbert_engine_failures_total") == 0


def test_a_model_that_does_not_fit_is_said_to_and_loaded_once_it_does(wide: Path, tmp_path: Path) -> None:
    with running(wide, tmp_path) as service:
        with taken(leave=640 * MB):
            answer = service.analyze(timeout=120)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
            assert "out of memory" in answer.json()["error"]["message"]
            assert not service.ready()
        wait_for("the model", service.ready, patience=120)
        assert service.analyze().status_code == 200
