"""`sentiment-service install`: what it writes and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sentiment_service.__main__ import main
from sentiment_service.machine.install import hidden_place, takes_up
from sentiment_service.machine.render import Plan


def test_files_for_systemd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls = [str(tmp_path / "one.crt"), str(tmp_path / "one.key")]
    words = ["install", "systemd", "--root", str(tmp_path), "--instances", "2", "--memory-max", "512M"]
    assert main([*words, "--server-name", "sentiment.example.com", "--tls", *tls]) == 0
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == [
        "etc/nginx/conf.d/sentiment-service.conf",
        "etc/sentiment-service/environment",
        "etc/systemd/system/sentiment-service.target",
        "etc/systemd/system/sentiment-service@.service",
    ]
    assert set(capsys.readouterr().out.split()) == {str(tmp_path / name) for name in files}
    site = (tmp_path / files[0]).read_text()
    assert "server 127.0.0.1:7861 " in site
    assert "server 127.0.0.1:7862 " in site
    assert "server 127.0.0.1:7863 " not in site
    assert f"ssl_certificate {tls[0]};" in site
    assert "default_server" not in site
    assert "MemoryMax=512M" in (tmp_path / files[3]).read_text()


def test_settings_are_the_owners(tmp_path: Path) -> None:
    words = ["install", "systemd", "--root", str(tmp_path)]
    assert main(words) == 0
    settings = tmp_path / "etc/sentiment-service/environment"
    settings.write_text("MODEL_DIR=/srv/model\n")
    unit = tmp_path / "etc/systemd/system/sentiment-service@.service"
    unit.write_text("old")
    assert main(words) == 0
    assert settings.read_text() == "MODEL_DIR=/srv/model\n"
    assert unit.read_text() != "old"


def test_instances_start_one_after_the_other() -> None:
    plan = Plan(python="/usr/bin/python3", instances=3)
    restarts = [command for command in takes_up("systemd", plan) if command[1] == "restart"]
    assert restarts == [
        ["systemctl", "restart", f"sentiment-service@{port}.service"] for port in (7861, 7862, 7863)
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["--instances", "0"],
        ["--memory-max", "2 GB"],
        ["--server-name", "a; return 200"],
        ["--rate", "-1"],
        ["--first-port", "70000"],
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["install", "systemd", "--root", str(tmp_path), *words])
    assert end.value.code == 2
    assert words[0] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["install", "systemd"]) == 1
    problem = "nginx and systemctl missing here" if os.geteuid() == 0 else "only root can install it"
    assert problem in capsys.readouterr().err
    assert main(["install", "systemd", "--root", str(tmp_path), "--first-port", "65534"]) == 1
    assert "there is no port 65536" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_homes_are_hidden(tmp_path: Path) -> None:
    assert hidden_place([tmp_path, "/opt/sentiment-service", "/home/me/venv/lib"]) == Path(
        "/home/me/venv/lib"
    )
    assert hidden_place(["/opt/sentiment-service", "/homestead"]) is None
