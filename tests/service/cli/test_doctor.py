"""`doctor` on this machine, and on machines that lack something."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sentiment_service.__main__ import main
from sentiment_service.cli import doctor
from sentiment_service.cli.doctor import Verdict


def test_a_machine_that_has_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("HOST", "127.0.0.1")
    assert main(["doctor"]) == 0
    seen = capsys.readouterr().out
    assert "✓ model: tiny 1, " in seen
    assert "→ 积极, loaded in " in seen
    assert seen.endswith("All is well.\n")


def test_all_that_is_wrong_is_said_with_its_remedy(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = shutil.copytree(package, tmp_path / "damaged")
    with (damaged / "model.bin").open("r+b") as file:
        file.write(b"\xff")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"MODEL_DIR": damaged, "HOST": "127.0.0.1", "PORT": port,
                    "API_KEYS_FILE": tmp_path / "none", "LOG_FILE": tmp_path / "none" / "log"}  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(name, str(value))
        assert main(["doctor"]) == 1
    seen = capsys.readouterr().out
    for said in (
        "✗ model: ", "is damaged: its SHA-256", "→ copy the package anew",
        f"✗ port: 127.0.0.1:{port} is taken by ", f"(process {os.getpid()})", f"--port {port + 1}",
        "✗ API keys: ", "✗ log file: ", "4 of these would keep the service from working.",
    ):  # fmt: skip
        assert said in seen, said
    assert "a test answer" not in seen


def _machine(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_a_small_old_machine(tmp_path: Path) -> None:
    root = _machine(
        tmp_path,
        proc__cpuinfo="processor\t: 0\nmodel name\t: Old CPU\nflags\t\t: sse4_2 fpu\n",
        proc__self__cgroup="0::/small\n",
        sys__fs__cgroup__small__cpu_DOT_max="50000 100000\n",
        sys__fs__cgroup__small__memory_DOT_max=f"{128 << 20}\n",
    )
    old, half, little = doctor.vectors(root), doctor.quota(root), doctor.memory(10 << 20, root)
    assert (old.verdict, old.says) == (Verdict.SLOW, "Old CPU, without AVX2")
    assert (half.verdict, half.says.split(", ")[1]) == (Verdict.SLOW, "quota 0.5 CPUs")
    assert little.verdict is Verdict.BAD
    assert little.says.endswith("limit 128 MB")
    assert "the model takes about 220 MB" in little.remedy


def test_a_processor_names_what_it_computes_with(tmp_path: Path) -> None:
    root = _machine(tmp_path, proc__cpuinfo="model name : New\nflags : avx2 amx_int8 avx512_vnni\n")
    assert doctor.vectors(root).says == "New (amx_int8, avx512_vnni, avx2)"


def test_a_processor_that_gains_nothing_from_int8_is_told(tmp_path: Path) -> None:
    root = _machine(tmp_path, proc__cpuinfo="model name : Plain\nflags : fma avx2\n")
    found = doctor.vectors(root)
    assert (found.verdict, found.says) == (Verdict.SLOW, "Plain (avx2), without VNNI")
    assert "no time" in found.remedy


def test_a_reader_who_has_had_enough_ends_it_without_a_traceback(package: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sentiment_service", "doctor"],
            env={**os.environ, "MODEL_DIR": str(package), "HOST": "127.0.0.1", "PORT": "0"},
            stdout=write, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
