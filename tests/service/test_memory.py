"""The memory policy as a table, and where the limit comes from."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiment_service.engine import child, frames, memory
from sentiment_service.engine.frames import Kind
from sentiment_service.engine.memory import Action, View, decide
from sentiment_service.engine.package import ModelPackage
from sentiment_service.engine.process import Order
from sentiment_service.settings import BUNDLED_MODEL

from tests.service.running import wait_for

MIB = 1 << 20


@pytest.mark.parametrize(
    ("used", "loaded", "idle", "trimmed", "out", "action"),
    [
        (50, True, False, False, False, Action.NONE),
        (100, True, False, False, False, Action.NONE),
        (101, True, True, False, False, Action.TRIM),
        (101, True, True, True, False, Action.UNLOAD),
        (101, True, False, True, False, Action.STEP_OUT),
        (101, True, False, True, True, Action.NONE),
        (101, True, True, True, True, Action.UNLOAD),
        (120, True, False, False, False, Action.TRIM),
        (120, True, False, True, False, Action.UNLOAD),
        (95, True, True, False, True, Action.NONE),
        (90, True, True, False, True, Action.COME_BACK),
        (95, False, True, False, True, Action.COME_BACK),
        (120, False, True, True, True, Action.COME_BACK),
        (120, False, True, True, False, Action.NONE),
    ],
)
def test_the_policy(used: int, loaded: bool, idle: bool, trimmed: bool, out: bool, action: Action) -> None:
    assert decide(View(used, 100, loaded, idle, trimmed, out)) is action


def test_without_a_limit_nothing_is_done() -> None:
    assert decide(View(1 << 60, 0, True, True, True, False)) is Action.NONE


@given(st.integers(1, 300), st.booleans(), st.booleans(), st.booleans())
def test_once_out_it_always_comes_back(used: int, loaded: bool, idle: bool, trimmed: bool) -> None:
    """Whatever the start: memory that goes when the engine goes, requests that end when refused."""
    out, rest = True, min(used, 60)
    for _ in range(6):
        action = decide(View(used, 100, loaded, idle, trimmed, out))
        trimmed, idle = used > 100, True
        if action is Action.UNLOAD:
            loaded, used = False, rest
        if action is Action.COME_BACK:
            return
        if action is Action.NONE and used <= 100:
            used = min(used, 90)  # requests ended, their memory is free
    raise AssertionError("it stayed out")


@pytest.mark.parametrize(
    ("excess", "count"), [(-5, 0), (0, 0), (1, 1), (10, 1), (11, 2), (30, 2), (31, 3), (999, 3)]
)
def test_as_many_idle_models_go_as_are_needed(excess: int, count: int) -> None:
    assert memory.how_many_go(excess, [10, 20, 30]) == count


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_tightest_cgroup_counts_v2(tmp_path: Path) -> None:
    _write(tmp_path / "proc/self/cgroup", "0::/pod/box\n")
    _write(tmp_path / "sys/fs/cgroup/pod/box/memory.max", "max\n")
    _write(tmp_path / "sys/fs/cgroup/pod/memory.max", f"{512 * MIB}\n")
    assert memory.cgroup_limit(tmp_path) == 512 * MIB
    assert memory.soft_limit(0, tmp_path) == int(0.85 * 512 * MIB)
    assert memory.soft_limit(7, tmp_path) == 7


def test_the_tightest_cgroup_counts_v1(tmp_path: Path) -> None:
    _write(tmp_path / "proc/self/cgroup", "4:memory:/pod\n2:cpu,cpuacct:/pod\n0::/\n")
    _write(tmp_path / "sys/fs/cgroup/memory/pod/memory.limit_in_bytes", f"{256 * MIB}\n")
    _write(tmp_path / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert memory.cgroup_limit(tmp_path) == 256 * MIB


def test_no_cgroup_no_limit(tmp_path: Path) -> None:
    assert memory.cgroup_limit(tmp_path) is None
    assert memory.soft_limit(0, tmp_path) == 0


def test_usage_of_this_process() -> None:
    one = memory.usage([os.getpid()])
    assert 1 * MIB < one.unreclaimable <= one.pss
    assert memory.usage([]) == (0, 0)
    assert memory.usage([2**22 + 1]) == (0, 0)


@contextmanager
def _loaded(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of an engine that runs in a thread of the test and has loaded the package."""

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    found = ModelPackage.read(package)
    order = Order("auto", package, found.expected(), 1, found.manifest.max_tokens, found.manifest.hint)
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as pool:
        engine = pool.submit(child.Child(theirs).serve)
        with ours:
            ours.sendall(frames.frame(Kind.LOAD, json.dumps(order._asdict(), default=str).encode()))
            loaded = frames.receive(ours)
            assert loaded is not None
            assert loaded[0] is Kind.LOADED
            yield ours
        with pytest.raises(SystemExit):
            engine.result()


def test_an_engine_without_work_gives_free_memory_back_once(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[None] = []
    monkeypatch.setattr(child, "trim", lambda: given_back.append(None))
    with _loaded(package, monkeypatch) as engine:
        wait_for("memory back after the load", lambda: len(given_back) == 2)
        run = frames.pack_run(1, [(1, 2, 3)], 8)
        engine.sendall(frames.frame(Kind.PING) + frames.frame(Kind.RUN, run))
        wait_for("memory back after a run", lambda: len(given_back) == 3)
    assert len(given_back) == 3


def test_what_a_long_run_took_goes_back_after_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    run = child.Child._run

    def long(engine: child.Child, payload: bytes) -> None:
        threading.Event().wait(10 * child._IDLE_SECONDS)
        run(engine, payload)
        events.append("run")

    monkeypatch.setattr(child, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(child.Child, "_run", long)
    monkeypatch.setattr(child, "trim", lambda: events.append("trim"))
    with _loaded(package, monkeypatch) as engine:
        wait_for("memory back after the load", lambda: len(events) == 2)
        engine.sendall(frames.frame(Kind.RUN, frames.pack_run(1, [(1, 2, 3)], 8)))
        wait_for("memory back after the run", lambda: events[-2:] == ["run", "trim"])


def test_an_engine_without_work_holds_no_page_of_the_file_that_it_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks tokens up there, and a run of another size may read the weights once more."""
    package = Path(shutil.copytree(BUNDLED_MODEL, tmp_path / "model"))

    def held() -> int:
        """Bytes; the file must be mapped."""
        [size] = [one.rss for one in psutil.Process().memory_maps() if one.path == f"{package}/model.bin"]
        return int(size)

    with _loaded(package, monkeypatch) as engine:
        wait_for("its pages back after the load", lambda: held() == 0, patience=120)
        engine.sendall(frames.frame(Kind.RUN, frames.pack_run(1, [tuple(range(1, 301))], 304)))
        answer = frames.receive(engine)
        assert answer is not None
        assert answer[0] is Kind.ANSWER
        wait_for("its pages back after a run", lambda: held() == 0)


SMAPS = """\
5581-5591 r-xp 00000000 fd:00 11                 {root}/my libs/a.so
Size:                 64 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
5591-55a1 r--p 00010000 fd:00 11                 {root}/my libs/a.so
Anonymous:             4 kB
55a1-55b1 rw-p 00020000 fd:00 11                 {root}/my libs/a.so
Anonymous:             0 kB
7f00-7f10 r--s 00000000 fd:00 12                 {root}/models/model.bin
AnonHugePages:         0 kB
Anonymous:             0 kB
7f10-7f20 r--p 00000000 00:00 0
Anonymous:             0 kB
7f20-7f21 r--s 00000000 00:05 13                 /dev/null
Anonymous:             0 kB
7ffe-7fff r-xp 00000000 00:00 0                  [vdso]
Anonymous:             0 kB
"""


def test_what_can_be_read_from_its_file_again_is_let_go_and_nothing_else(tmp_path: Path) -> None:
    for file in ("my libs/a.so", "models/model.bin"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    smaps = SMAPS.format(root=tmp_path)
    code, model = (0x5581, 0x5591), (0x7F00, 0x7F10)
    assert list(child.unwritten(smaps, "/")) == [code, model]
    assert list(child.unwritten(smaps, f"{tmp_path}/models/")) == [model]
