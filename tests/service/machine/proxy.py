"""Debian's nginx, unpacked, with the file that `sentiment-service install` writes; on free ports."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
from sentiment_service.machine.render import Site, nginx

from e2e.cluster.debian import unpacked
from tests.service.running import Running, wait_for

# What Debian's nginx.conf says around conf.d/, in a folder of its own.
_MAIN = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
daemon off;
worker_processes 2;
events {{}}
http {{
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def free_ports(count: int, *, consecutive: bool = False) -> list[int]:
    """Ports of the loopback interface that nobody listens on."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            ports = [first.getsockname()[1]]
            try:
                for step in range(1, count):
                    wanted = ports[0] + step if consecutive else 0
                    ports.append(
                        stack.enter_context(socket.create_server(("127.0.0.1", wanted))).getsockname()[1]
                    )
            except (OSError, OverflowError):
                continue
            return ports


def port_of(service: Running) -> int:
    """Where it listens."""
    return service.http.base_url.port or 0


def site_of(services: list[Running], **changes: Any) -> Site:
    """What nginx serves in front of them; so many requests that no rate is met."""
    upstreams = tuple(f"127.0.0.1:{port_of(service)}" for service in services)
    http, https = free_ports(2)
    given: dict[str, Any] = {"rate": 10_000, **changes}
    return Site(upstreams=upstreams, http_port=http, https_port=https, **given)


def command(folder: Path, site: Site) -> list[str]:
    """nginx with this site, its files in `folder`."""
    (folder / "site.conf").write_text(nginx(site))
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))
    program = unpacked("nginx", "usr/sbin") / "nginx"
    return [
        str(program),
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(folder / "nginx.conf"),
    ]


@contextmanager
def proxied(folder: Path, site: Site) -> Iterator[int]:
    """nginx at work; its HTTP port."""
    folder.mkdir(exist_ok=True)
    start = command(folder, site)
    tested = subprocess.run([*start, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    with subprocess.Popen(start) as process:
        try:
            wait_for("nginx to listen", lambda: _listens(process.pid, site.http_port))
            yield site.http_port
        finally:
            process.terminate()


def _listens(pid: int, port: int) -> bool:
    connections = psutil.Process(pid).net_connections("tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)


def unread(port: int) -> bool:
    """A request lies before the process on this port, which has not read it."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, queues, *_ = line.split()
            established = state == "01"
            if (
                established
                and int(local.rpartition(":")[2], 16) == port
                and int(queues.partition(":")[2], 16)
            ):
                return True
    return False
