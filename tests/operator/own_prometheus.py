"""A Prometheus for one test, on a port of its own."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from e2e.alerting import Prometheus
from e2e.cluster.monitoring import prometheus_program

from .conftest import wait_for


@contextmanager
def own_prometheus(config: dict[str, Any], folder: Path) -> Iterator[Prometheus]:
    """With this configuration; its files in the folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file, log = folder / "prometheus.yaml", folder / "prometheus.log"
    file.write_text(yaml.safe_dump(config))
    command = [
        str(prometheus_program()),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        try:
            wait_for("Prometheus", lambda: "Server is ready" in log.read_text())
            yield Prometheus(http)
        except BaseException:
            print(log.read_text()[-4000:])
            raise
        finally:
            process.terminate()
