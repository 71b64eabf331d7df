"""A source that is a finished package: taken without torch, by the Job of a SentimentModel too."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import faults, package, shelf
from sentiment_models.__main__ import main
from sentiment_models.announce import announce
from sentiment_models.sources.fetch import BUNDLED

from tests.models.hub_server import Fault, Hub, serve


def prepare(source: str, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """(exit status, report) of the command."""
    report = out.parent.parent / "report.json"
    code = main(["prepare", source, str(out), "--quiet", "--report", str(report), *options])
    return code, json.loads(report.read_text())


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    return tmp_path / "volume"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A server with the bundled package as an archive."""
    with tarfile.open(tmp_path / "m.tar", "w") as archive:
        for name in (package.MANIFEST, *package.FILES["openvino"]):
            archive.add(BUNDLED / name, name)
    with serve() as running:
        running.files["/m.tar"] = (tmp_path / "m.tar").read_bytes()
        yield running


def test_the_bundled_package_is_copied_checked_and_read_only(volume: Path) -> None:
    code, report = prepare("bundled", volume / "a", "--once", "--sweep")
    made = package.verify(volume / "a")
    assert (code, report["phase"], report["percent"]) == (0, "Succeeded", 100)
    assert (report["digest"], report["precision"]) == (made["digest"], "int8")
    assert report["accuracyPercent"] == round(100 * made["accuracy"]["int8"], 2)
    assert len(json.dumps(report)) < 4096  # what the kubelet passes on
    modes = {path.stat().st_mode & 0o777 for path in (volume / "a").iterdir()}
    assert modes == {0o444}


def test_a_package_that_is_there_needs_no_source(hub: Hub, volume: Path) -> None:
    url = f"{hub.url}/m.tar"
    assert prepare(url, volume / "a", "--once")[0] == 0
    sent = hub.sent
    assert sent >= len(hub.files["/m.tar"])
    assert prepare(url, volume / "a", "--once")[0] == 0
    assert hub.sent == sent
    # A damaged one is made anew.
    (volume / "a/model.bin").unlink()
    assert prepare(url, volume / "a", "--once")[0] == 0
    assert hub.sent > sent
    assert package.verify(volume / "a")


def test_a_killed_preparation_ends_in_the_same_package(hub: Hub, volume: Path) -> None:
    url, total = f"{hub.url}/m.tar", len(hub.files["/m.tar"])
    prepare(url, volume / "whole", "--once")
    command = [sys.executable, "-m", "sentiment_models", "prepare", url, str(volume / "a"), "--once"]
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)):
        hub.faults.append(Fault(end_after=total // 3, silence=True))
        # Only now: the one before went on to write until it was killed.
        came = _downloaded(volume)
        begun = subprocess.Popen(command)
        deadline = time.monotonic() + 30
        while _downloaded(volume) <= came:
            assert begun.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        begun.send_signal(number)
        assert begun.wait(timeout=20) == status
    came, sent = _downloaded(volume), hub.sent
    assert prepare(url, volume / "a", "--once", "--sweep", "--keep=whole")[0] == 0
    assert hub.sent - sent < total - came // 2  # it went on where it was
    assert package.verify(volume / "a")["digest"] == package.verify(volume / "whole")["digest"]
    assert sorted(path.name for path in volume.iterdir()) == [".lock", "a", "whole"]


def _downloaded(volume: Path) -> int:
    return sum(path.stat().st_size for path in volume.glob(".a.work-*/*.part"))


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [(404, 1, "SourceNotFound"), (403, 1, "SourceForbidden"), (429, 75, "SourceRateLimited")],
)
def test_the_exit_status_says_whether_to_try_again(
    hub: Hub, volume: Path, status: int, code: int, reason: str
) -> None:
    hub.faults.extend(Fault(status=status, headers={"Retry-After": "3600"}) for _ in range(8))
    ended, report = prepare(f"{hub.url}/m.tar", volume / "a", "--once")
    assert (ended, report["reason"]) == (code, reason)


def test_a_package_that_cannot_answer_is_refused(volume: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(BUNDLED, broken)
    text = (broken / "model.xml").read_text().replace("<layers>", "<layres>")
    (broken / "model.xml").write_text(text)
    manifest = json.loads((broken / package.MANIFEST).read_text())
    manifest["files"] = package.describe(broken, manifest["files"])
    manifest["digest"] = package.digest(manifest["files"])
    (broken / package.MANIFEST).write_text(json.dumps(manifest))
    code, report = prepare(str(broken), volume / "a", "--once")
    assert (code, report["reason"]) == (1, "PackageInvalid")
    assert not (volume / "a").exists()


def test_a_package_of_the_other_engine_is_refused(volume: Path) -> None:
    code, report = prepare("bundled", volume / "a", "--once", "--engine", "torch")
    assert (code, report["reason"]) == (1, "EngineMismatch")
    assert report["message"] == "the package is for the engine openvino, not for torch"
    assert not (volume / "a").exists()


@pytest.mark.parametrize("options", [("--precision", "int8"), ("--prune", "25")])
def test_torch_takes_the_whole_checkpoint(
    volume: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "bundled", str(volume / "a"), "--engine", "torch", *options]) == 2
    assert "leave out --precision and --prune" in capsys.readouterr().err


def test_the_sweep_takes_only_what_nobody_keeps(volume: Path) -> None:
    half_made = (".old.work-1", ".kept.work-2", ".kept.x1y2z3", ".kept.x1y2z3.old")
    for name in ("old", "kept", *half_made, "lost+found", "somebody's"):
        (volume / name).mkdir(parents=True)
    for name in ("old", "kept"):
        (volume / name / package.MANIFEST).write_text("{}")
    assert shelf.sweep(volume, {"kept"}) == [".kept.x1y2z3", ".kept.x1y2z3.old", ".old.work-1", "old"]
    left = sorted(path.name for path in volume.iterdir())
    assert left == [".kept.work-2", "kept", "lost+found", "somebody's"]


def _hold(folder: Path, ready: Any, leave: Any) -> None:
    with shelf.alone(folder):
        ready.set()
        leave.wait()
        (folder / "first").touch()


def test_two_preparations_of_one_volume_take_turns(volume: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(volume, ready, leave))
    first.start()
    assert ready.wait(30)
    second = context.Process(target=_enter, args=(volume,))
    second.start()
    leave.set()
    for process in (first, second):
        process.join(30)
        assert process.exitcode == 0


def _enter(folder: Path) -> None:
    with shelf.alone(folder):
        assert (folder / "first").exists()


def test_progress_is_served() -> None:
    state = {"phase": "Fetching", "percent": 17, "source": "secret"}
    with (
        announce(0, lambda: state) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/progress") as told,
    ):
        assert json.loads(told.read()) == {"phase": "Fetching", "percent": 17}
    with announce(0, lambda: state) as port, pytest.raises(OSError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/")


def test_without_torch_a_checkpoint_is_refused_by_name(volume: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    with without("snownlp"):
        code, report = prepare(str(checkpoint), volume / "a")
    assert (code, report["reason"]) == (1, faults.TorchMissing.reason)


def test_without_torch_a_packaged_checkpoint_is_refused_by_name(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def produce(folder: Path) -> None:
        for name in package.FILES["torch"]:
            shutil.copyfile(BUNDLED / "tokenizer.json", folder / name)

    package.write(tmp_path / "checkpoint", {}, produce)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "none"))
    (tmp_path / "none").mkdir()
    (tmp_path / "none/torch.py").write_text("raise ModuleNotFoundError('No torch', name='torch')")
    code, report = prepare(str(tmp_path / "checkpoint"), volume / "a", "--engine", "torch")
    assert (code, report["reason"]) == (1, faults.TorchMissing.reason)
    assert report["message"] == "there is no torch here"
    # Not worth an installation: it is not what was asked for.
    assert prepare(str(tmp_path / "checkpoint"), volume / "a")[1]["reason"] == "EngineMismatch"


@contextlib.contextmanager
def without(module: str) -> Iterator[None]:
    import importlib.util

    found = importlib.util.find_spec

    def find(name: str, *rest: Any) -> Any:
        return None if name == module else found(name, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", find)
        yield
