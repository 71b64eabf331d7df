"""The program's file, in a real supervisord."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import httpx
import psutil
from sentiment_service.machine.render import Plan, Site, supervisor
from supervisor.xmlrpc import SupervisorTransport

from tests.service.machine.proxy import free_ports
from tests.service.running import ANALYZE, wait_for

_MAIN = """
[supervisord]
nodaemon=true
user={user}
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[unix_http_server]
file={folder}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files={folder}/sentiment-service.conf
"""


class Supervised:
    def __init__(self, socket: Path) -> None:
        self._rpc = ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{socket}"))
        self._socket = socket

    def processes(self) -> dict[str, tuple[str, int]]:
        """Name → state and process id."""
        if not self._socket.exists():
            return {}
        every: Any = self._rpc.supervisor.getAllProcessInfo()
        return {one["name"]: (one["statename"], one["pid"]) for one in every}

    def run(self, count: int) -> bool:
        return [state for state, _ in self.processes().values()] == ["RUNNING"] * count


@contextmanager
def _supervised(folder: Path, plan: Plan) -> Iterator[Supervised]:
    (folder / "supervisord.conf").write_text(_MAIN.format(folder=folder, user=plan.user))
    texts = supervisor(plan, Site(upstreams=plan.upstreams))
    [program] = [text for where, text in texts.items() if "supervisor" in where.parts]
    (folder / "sentiment-service.conf").write_text(program)
    start = [str(Path(sys.executable).parent / "supervisord"), "-c", str(folder / "supervisord.conf")]
    with subprocess.Popen(start, stdout=subprocess.DEVNULL) as process:
        try:
            yield Supervised(folder / "socket")
        finally:
            process.terminate()


def test_it_runs_and_replaces_what_is_dead_or_hangs(tmp_path: Path) -> None:
    first, *_ = free_ports(2, consecutive=True)
    programs = Path(sys.executable).parent
    plan = Plan(
        python=sys.executable,
        instances=2,
        first_port=first,
        user=getpass.getuser(),
        httpok=str(programs / "httpok"),
        logs=str(tmp_path),
    )
    with _supervised(tmp_path, plan) as supervised:
        wait_for("two instances and their checks", lambda: supervised.run(4), 60)
        for port in plan.ports:
            answer = httpx.post(f"http://127.0.0.1:{port}{ANALYZE}", json={"text": "好"}, timeout=30)
            assert answer.json()["success"]
        dead, hung = (supervised.processes()[str(port)][1] for port in plan.ports)
        psutil.Process(dead).kill()
        stopped = psutil.Process(hung)
        stopped.suspend()
        name = str(plan.ports[1])
        wait_for("the check to see it", lambda: supervised.processes()[name][0] == "STOPPING", 60)
        stopped.resume()  # else supervisor waits until it may kill it
        wait_for("both to be back", lambda: supervised.run(4), 60)
        pids = {supervised.processes()[str(port)][1] for port in plan.ports}
        assert not pids & {dead, hung}
