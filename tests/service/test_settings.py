"""Settings: where they come from, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentiment_service.__main__ import main
from sentiment_service.generate import generated
from sentiment_service.settings import BUNDLED_MODEL, Settings


def test_generated_files_are_current() -> None:
    stale = [path.name for path, text in generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make generate`"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_agreed_names() -> None:
    agreed = """HOST PORT MODEL_DIR MODEL_NAME ENGINE WORKERS INFERENCE_THREADS MAX_TEXT_LENGTH
    MAX_BATCH_ITEMS MAX_BODY_BYTES MAX_BATCH_TOKENS QUEUE_LIMIT REQUEST_TIMEOUT_SECONDS DRAIN_SECONDS WARM_UP
    IDLE_UNLOAD_SECONDS MEMORY_SOFT_LIMIT_BYTES API_KEYS_FILE CORS_ALLOW_ORIGINS ROOT_PATH
    LOG_LEVEL LOG_PREVIEW_CHARS LOG_FILE"""
    assert set(agreed.split()) <= {name.upper() for name in Settings.model_fields}


def test_the_environment_is_read_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MAX_TEXT_LENGTH": "7", "WARM_UP": "true", "LOG_FILE": "", "PORT": "", "LOG_LEVEL": "debug",
        "CORS_ALLOW_ORIGINS": "https://a.example, http://b.example:8080", "API_KEYS_FILE": "/keys",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.max_text_length, settings.warm_up, settings.log_level) == (7, True, "DEBUG")
    assert (settings.log_file, settings.port, settings.model_dir) == (None, 7860, BUNDLED_MODEL)
    assert settings.cors_origins == ["https://a.example", "http://b.example:8080"]
    assert settings.api_keys_file == Path("/keys")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ["--max-text-length", "many"],
            ["MAX_TEXT_LENGTH (--max-text-length) is 'many'", "characters", "512"],
        ),
        (["--port", "70000"], ["PORT (--port) is '70000'", "65535"]),
        (["--engine", "tpu"], ["ENGINE (--engine) is 'tpu'", "'openvino'"]),
        (["--cors-allow-origins", "https://a.example/x"], ["CORS_ALLOW_ORIGINS", "no path"]),
        (["--root-path", "prefix/"], ["ROOT_PATH (--root-path) is 'prefix/'", "as in `/sentiment`"]),
        (["--queue-limit", "3"], ["QUEUE_LIMIT (3) is below MAX_BATCH_ITEMS (1000)", "raise the one"]),
    ],
)
def test_a_wrong_value_is_told_with_its_remedy(
    capsys: pytest.CaptureFixture[str], flags: list[str], told: list[str]
) -> None:
    assert main(["serve", *flags]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("sentiment-service: ")
    for part in told:
        assert part in line


def test_help_lists_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--help"])
    assert stop.value.code == 0
    help_text = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in help_text


@pytest.mark.parametrize(("asked", "cpus", "workers"), [(0, 1, 1), (0, 3, 1), (0, 8, 4), (3, 8, 3)])
def test_workers_follow_the_quota_when_asked_to(
    asked: int, cpus: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment_service.settings.usable_threads", lambda: cpus)
    assert Settings(workers=asked).http_workers == workers
