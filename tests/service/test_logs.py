"""Logs: one JSON object a line, whatever it is about."""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiment_service import logs
from starlette.testclient import TestClient

from tests.service.running import running
from tests.service.test_api import ANALYZE, BATCH
from tests.service.tiny_model import Serve

# The article's own, in its order.
REQUEST = ["timestamp", "level", "type", "request_id", "text_length", "sentiment", "confidence", "latency_ms",
           "text_preview"]  # fmt: skip
ERROR = ["timestamp", "level", "type", "request_id", "error_type", "error_message", "context"]


@pytest.fixture
def lines() -> Iterator[Any]:
    """The lines logged so far, as objects."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(False)
    root.handlers[:], root.level = before


def of_type(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["type"] == kind]


def test_the_articles_request_shape(client: TestClient, lines: Any) -> None:
    text = "好" * 60
    answer = client.post(ANALYZE, json={"text": text}, headers={"X-Request-ID": "mine"})
    [entry] = of_type(lines(), "request")
    assert [key for key in entry if key in REQUEST] == REQUEST
    assert (entry["level"], entry["request_id"], entry["text_length"]) == ("INFO", "mine", 60)
    assert (entry["sentiment"], entry["confidence"]) == ("积极", answer.json()["data"]["confidence"])
    assert entry["text_preview"] == "好" * 50 + "..."
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["timestamp"])


def test_the_articles_error_shape(client: TestClient, lines: Any) -> None:
    client.post(ANALYZE, json={"text": "secret" * 200}, headers={"X-Request-ID": "mine"})
    [entry] = of_type(lines(), "error")
    assert list(entry) == ERROR
    assert (entry["level"], entry["request_id"], entry["error_type"]) == ("WARNING", "mine", "text_too_long")
    assert entry["context"] == {"endpoint": ANALYZE, "status": 422}
    assert "secret" not in json.dumps(entry)


def test_a_batch_is_one_line(client: TestClient, lines: Any) -> None:
    client.post(BATCH, json={"texts": ["好", "差", " "]})
    [entry] = of_type(lines(), "request")
    assert (entry["items"], entry["sentiments"]) == (3, {"积极": 1, "消极": 1, "error": 1})


def test_no_preview_when_it_is_switched_off(serve: Serve, lines: Any) -> None:
    client = serve(log_preview_chars=0)
    client.post(ANALYZE, json={"text": "好好好"})
    client.post(BATCH, json={"texts": ["好好好"]})
    client.post("/v2/models/tiny/infer", json={"inputs": [
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["好好好"]}]})  # fmt: skip
    assert len(of_type(lines(), "request")) == 3
    assert "好好" not in json.dumps(lines(), ensure_ascii=False)


def test_libraries_and_warnings_come_in_the_same_shape(lines: Any) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid %s", "request")
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    try:
        raise ValueError("inner\nlines")
    except ValueError:
        logging.getLogger("asyncio").exception("it failed")
    first, second, third = lines()
    assert (first["logger"], first["message"], first["level"]) == (
        "uvicorn.error",
        "Invalid request",
        "WARNING",
    )
    assert second["logger"] == "py.warnings"
    assert "inner\nlines" in third["traceback"]


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_whatever_a_text_holds_it_is_one_line(text: str, message: str) -> None:
    line = logs.to_line({"text_preview": text, "message": message, text: 1})
    assert len(line.splitlines()) == 1
    assert json.loads(line.encode("utf-8"))["message"] == message


def _write(path: Path, worker: int, count: int) -> None:
    logs.configure("INFO", path, stream=io.StringIO())
    for number in range(count):
        logs.log_event("x" * 200, worker=worker, number=number)


def test_a_log_file_is_rotated_by_several_processes_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 40_000)
    monkeypatch.setattr(logs, "_FILES_KEPT", 50)
    path = tmp_path / "new" / "app.log"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write, args=(path, worker, 300)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    files = [one for one in path.parent.iterdir() if one.name.startswith("app.log")]
    assert len(files) > 3
    assert max(one.stat().st_size for one in files) <= 41_000
    found = [json.loads(line) for one in files for line in one.read_text("utf-8").splitlines()]
    assert sorted((entry["worker"], entry["number"]) for entry in found) == [
        (worker, number) for worker in range(4) for number in range(300)
    ]


def test_the_log_file_of_the_service(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "app.log"
    with running(package, tmp_path, log_file=path, workers=2) as service:
        assert service.analyze().status_code == 200
        assert service.terminate() == 0
        entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert {"event", "request"} <= {entry["type"] for entry in entries}
        assert len(entries) == len(service.logs()), "stdout tells the same"


def test_a_log_file_that_cannot_be_written_ends_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from sentiment_service.__main__ import main

    (tmp_path / "file").write_text("")
    assert main(["serve", "--port", "0", "--log-file", str(tmp_path / "file" / "app.log")]) == 1
    assert "LOG_FILE" in capsys.readouterr().err
