"""Promises about processes, kept by real ones: death, hanging, draining, cold starts, memory."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from sentiment_service.engine import memory
from sentiment_service.engine.decide import Prediction, Sentiment
from sentiment_service.engine.package import ModelPackage
from sentiment_service.engine.patience import PATIENCE_SECONDS
from sentiment_service.engine.process import EngineFailedError, EngineProcess, Order
from sentiment_service.engine.runtime import Runtime
from sentiment_service.engine.scheduler import Scheduler
from sentiment_service.settings import Settings

from tests.service.running import ANALYZE, Load, Running, is_engine, running, wait_for
from tests.service.tiny_model import write_package


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_engine_is_replaced_under_load(package: Path, tmp_path: Path, workers: int) -> None:
    with running(package, tmp_path, workers=workers) as service, Load(service) as load:
        first = service.engine()
        first.kill()
        wait_for("another engine", lambda: [e for e in service.engines() if e.pid != first.pid])
        load.goes_on()
        load.stop()
        assert not load.errors
        assert set(load.statuses) <= {200, 503}
        assert service.metric("structbert_engine_failures_total") == 1
        assert service.metric("structbert_model_loads_total") == 2
        assert service.ready()


def test_a_hung_engine_is_seen_and_its_requests_answered(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path) as service:
        assert service.analyze().status_code == 200
        hung = service.engine()
        hung.suspend()
        answer = service.analyze("差")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "engine_failed"
        assert answer.headers["Retry-After"]
        wait_for("another engine", lambda: service.analyze("差").status_code == 200)
        assert service.engine().pid != hung.pid
        assert [e for e in service.logs() if e.get("error_type") == "model_unavailable"]


def test_an_idle_engine_that_hangs_is_seen_without_a_request(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, warm_up=True) as service:
        wait_for("warm", service.ready)
        hung = service.engine()
        hung.suspend()
        wait_for("another engine", lambda: [e for e in service.engines() if e.pid != hung.pid])


def test_a_pause_of_the_whole_service_is_no_hang(package: Path) -> None:
    """As `docker pause` and the move of a virtual machine do: engine and HTTP stand still together."""

    async def scenario() -> None:
        found = ModelPackage.read(package)
        ended: list[str] = []
        limit = 0.6
        order = Order("auto", package, found.expected(), 1, found.manifest.max_tokens, found.manifest.hint)
        engine = await EngineProcess.start(order, ended.append)
        try:
            os.kill(engine.pid, signal.SIGSTOP)
            run = asyncio.create_task(engine.run([(1, 2, 3)], 8, limit))
            await asyncio.sleep(0)  # it is sent
            time.sleep(2 * limit)  # noqa: ASYNC251 the pause
            asyncio.get_running_loop().call_later(0.1, os.kill, engine.pid, signal.SIGCONT)
            assert len((await run).logits) == 1
            assert not ended
        finally:
            await engine.stop()

    asyncio.run(scenario())


def test_a_run_that_comes_while_a_dead_engine_is_being_buried_is_told_so(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with much memory takes a while to be gone; uvloop refuses to write meanwhile."""

    async def scenario() -> None:
        found = ModelPackage.read(package)
        order = Order("auto", package, found.expected(), 1, found.manifest.max_tokens, found.manifest.hint)
        engine = await EngineProcess.start(order, lambda _: None)
        dead, gone, reap = asyncio.Event(), asyncio.Event(), EngineProcess._reap

        async def slowly(process: EngineProcess) -> None:
            dead.set()
            await gone.wait()
            await reap(process)

        monkeypatch.setattr(EngineProcess, "_reap", slowly)
        os.kill(engine.pid, signal.SIGKILL)
        await dead.wait()
        first = asyncio.create_task(engine.run([(1, 2, 3)], 8, 5.0))
        assert engine._writer
        with suppress(ConnectionError):
            await engine._writer.wait_closed()  # for its write fails
        second = asyncio.create_task(engine.run([(1, 2, 3)], 8, 5.0))
        await asyncio.sleep(0)  # it may not write
        gone.set()
        for run in (first, second):
            with pytest.raises(EngineFailedError, match="SIGKILL"):
                await run
        await engine.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def test_the_engine_imports_only_what_it_uses() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, "-X", "importtime", "-m", "sentiment_service.engine.child"]
        child = subprocess.run(
            [*command, str(number), "openvino"], pass_fds=[number], capture_output=True, text=True, check=True
        )
    imported = {line.rpartition("|")[2].strip() for line in child.stderr.splitlines()}
    assert "openvino._pyopenvino" in imported
    unused = ("openvino.tools.ovc.", "torch", "asyncio", "ssl")
    assert not [name for name in imported if name.startswith(unused)]


def test_nan_fails_alone_while_the_engine_is_sound(tmp_path: Path) -> None:
    package = write_package(tmp_path / "nan", weights={"好": 6.0, "差": float("nan")})
    with running(package, tmp_path) as service:
        assert service.analyze("好").status_code == 200
        engine = service.engine()
        assert service.analyze("差").json()["error"]["code"] == "engine_failed"
        assert service.analyze("好好").status_code == 200
        assert service.engine().pid == engine.pid


def test_an_engine_that_answers_only_nan_is_not_taken_for_loaded(tmp_path: Path) -> None:
    package = write_package(tmp_path / "nan", weights={"好": float("nan")}, special=float("nan"))
    with running(package, tmp_path) as service:
        answer = service.analyze()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
        assert "NaN" in answer.json()["error"]["message"]
        assert not service.ready()
        assert service.http.get("/health").json()["model_loaded"] is False


def _two(service: Running) -> set[int]:
    pids = {worker.pid for worker in service.workers()}
    return pids if len(pids) == 2 else set()


def test_a_killed_worker_is_replaced_and_the_metrics_go_on(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, workers=2) as service:
        wait_for("readiness", service.ready)
        with Load(service) as load:
            for _ in range(3):
                # There are three for a moment: the worker that came first gives way to two.
                workers = wait_for("two workers", lambda: _two(service))
                victim = min(workers)
                os.kill(victim, signal.SIGKILL)
                wait_for(
                    "its slot is filled",
                    lambda seen=workers, gone=victim: (  # type: ignore[misc]
                        len(now := {w.pid for w in service.workers()}) == 2 and gone not in now and now - seen
                    ),
                )
                load.goes_on()
        # What the victims were just answering or counting is lost with them; nothing else is.
        lost = 3 * 4
        assert set(load.statuses) == {200}
        assert len(load.errors) <= lost
        assert load.answered() - lost <= service.requests() <= load.answered() + lost
        wait_for("no request is active", lambda: service.metric("structbert_active_requests") == 0)
        assert service.http.get("/health").json()["total_requests"] >= service.requests()


def test_a_hung_worker_is_seen_and_replaced(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, workers=2) as service:
        wait_for("readiness", service.ready)
        hung = min(wait_for("two workers", lambda: _two(service)))
        os.kill(hung, signal.SIGSTOP)
        wait_for("another in its place", lambda: len(now := _two(service)) == 2 and hung not in now)
        assert "no sign of life" in str(service.logs())
        assert service.analyze().status_code == 200


def test_200_first_requests_load_once(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, workers=2) as service, ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: service.analyze(timeout=60).status_code, range(200)))
        assert answers == [200] * 200
        assert service.metric("structbert_model_loads_total") == 1
        assert len(service.engines()) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_nothing(package: Path, tmp_path: Path, workers: int) -> None:
    with running(package, tmp_path, workers=workers, drain_seconds=2) as service, Load(service) as load:
        os.kill(service.parent.pid, signal.SIGTERM)
        wait_for("it steps out of readiness", lambda: not service.ready())
        load.goes_on()
        load.stop()  # as the load balancers do, told by readiness
        assert not load.errors
        assert set(load.statuses) == {200}
        assert service.terminate() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_whoever_comes_while_it_ends_is_refused_at_once(package: Path, tmp_path: Path, workers: int) -> None:
    """Not left in a listening socket that nobody asks any more: a proxy tries the next instance."""
    with running(package, tmp_path, workers=workers, drain_seconds=0, warm_up=True) as service:
        wait_for("ready", service.ready)
        address = (service.http.base_url.host, service.http.base_url.port)
        head = f"POST {ANALYZE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        with socket.create_connection(address, timeout=20) as slow:
            slow.sendall(f"{head}Content-Length: 15\r\n\r\n{{".encode())  # it is waited for
            os.kill(service.parent.pid, signal.SIGTERM)
            wait_for("a closed door", lambda: _refused(address))
            slow.sendall(b'"text": "\xe5\xa5\xbd"}')
            assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def _refused(address: tuple[str, int | None]) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(address) == errno.ECONNREFUSED


@pytest.mark.parametrize("workers", [1, 2])
def test_idle_unload_gives_everything_back(package: Path, tmp_path: Path, workers: int) -> None:
    with running(package, tmp_path, workers=workers, idle_unload_seconds=0.3) as service:
        if workers > 1:  # the first worker, which is cold, makes way for the warm ones
            wait_for("it ends", lambda: "Finished server process" in str(service.logs()))
        wait_for("ready", service.ready)

        def used() -> int:
            family = [service.parent, *service.parent.children()]
            return memory.usage(process.pid for process in family).pss

        before = used()
        assert service.analyze().status_code == 200
        loaded = used()
        wait_for("no engine", lambda: not service.engines())
        assert service.ready()
        assert service.http.get("/health").json()["model_loaded"] is False
        assert loaded > 1.3 * before
        assert used() < 1.15 * before
        assert service.metric("structbert_model_unloads_total") == 1
        assert service.analyze().status_code == 200


def test_above_the_memory_limit_it_unloads_and_comes_back(package: Path, tmp_path: Path) -> None:
    limit = 60 << 20  # less than a loaded engine needs beside the rest
    with running(package, tmp_path, memory_soft_limit_bytes=limit) as service:
        assert service.analyze().status_code == 200
        wait_for("no engine", lambda: not service.engines())
        wait_for("ready again", service.ready)
        assert service.analyze().status_code == 200
        actions = [entry["message"] for entry in service.logs() if entry["message"].startswith("memory")]
        assert actions[:2] == ["memory: trim", "memory: unload"]


def test_a_model_that_is_away_for_a_moment_costs_no_request_that_comes_then(tmp_path: Path) -> None:
    place = write_package(tmp_path / "here")
    with running(place, tmp_path) as service, ThreadPoolExecutor(1) as pool:
        assert service.analyze().status_code == 200
        place.rename(tmp_path / "away")
        service.engine().kill()
        wait_for("it to say so", lambda: not service.ready())
        early = pool.submit(service.analyze)
        wait_for("a load in vain", lambda: len(_failures(service)) > 1)
        (tmp_path / "away").rename(place)
        assert early.result().status_code == 200
        assert service.ready()


def test_a_model_that_stays_away_is_said_to_be(tmp_path: Path) -> None:
    place = write_package(tmp_path / "here")
    with running(place, tmp_path) as service:
        assert service.analyze().status_code == 200
        place.rename(tmp_path / "away")
        service.engine().kill()
        wait_for("it to say so", lambda: not service.ready())
        for patience in (20, PATIENCE_SECONDS / 2):  # the second one waits for nothing
            answer = service.analyze(timeout=patience)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")


def _failures(service: Running) -> list[dict[str, Any]]:
    return [entry for entry in service.logs() if entry.get("error_type") == "model_unavailable"]


def test_what_comes_while_memory_is_short_waits_until_it_is_not(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment_service.engine.scheduler._MEMORY_EVERY_SECONDS", 3600)
    limit = 100 << 20
    above = limit + 1

    async def scenario() -> None:
        scheduler = Scheduler(Settings(model_dir=package, memory_soft_limit_bytes=limit))
        runtime = Runtime(scheduler)
        model = next(iter(scheduler.status.models))

        def ask(text: str) -> asyncio.Task[list[Prediction]]:
            return asyncio.create_task(runtime.analyze([text], model=model, bulk=False, max_batch=1))

        scheduler.start()
        await ask("好")
        [engine] = [child for child in psutil.Process().children() if is_engine(child)]
        engine.suspend()
        busy = ask("差")
        await asyncio.sleep(0)  # it is sent
        await scheduler.keep_within_memory(above)
        await scheduler.keep_within_memory(above)
        assert "memory" in scheduler.status.unready()
        held = [ask("好"), ask("差")]
        engine.resume()
        await busy
        assert not any(one.done() for one in held)
        await scheduler.keep_within_memory(above)
        await scheduler.keep_within_memory(limit // 2)
        assert not scheduler.status.unready()
        answers = await asyncio.gather(*held)
        assert [found.sentiment for [found] in answers] == [Sentiment.POSITIVE, Sentiment.NEGATIVE]
        await scheduler.stop()

    asyncio.run(scenario())


def test_the_end_of_the_parent_ends_everything(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, workers=2) as service:
        assert service.analyze().status_code == 200
        family = service.parent.children()
        service.parent.kill()
        wait_for("all gone", lambda: all(not _runs(service, process.pid) for process in family))


def _runs(service: Running, pid: int) -> bool:
    return any(process.pid == pid for process in service.parent.children()) or Path(f"/proc/{pid}").exists()
