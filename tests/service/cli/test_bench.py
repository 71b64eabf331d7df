"""`bench` measures a real server; the figures themselves are nobody's business here."""

from __future__ import annotations

import re

import pytest
from sentiment_service.__main__ import main


def test_every_load_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--seconds", "0.3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = [line for line in lines if re.search(r" +\d+( +\d+\.\d ms){3}$", line)]
    assert [line.split("  ")[0] for line in figures] == [
        "one text, one caller",
        "one text, 32 callers",
        "32 texts, two callers",
    ]
    assert re.fullmatch(r"batches ÷ one after the other: \d+\.\d; 32 callers ÷ one: \d+\.\d", lines[-2])
    assert re.fullmatch(r"memory after that: [1-9]\d+ MB", lines[-1])


def test_a_server_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("QUEUE_LIMIT", "1")
    assert main(["bench", "--seconds", "0.3"]) == 1
    assert "QUEUE_LIMIT (1) is below MAX_BATCH_ITEMS" in capsys.readouterr().err
