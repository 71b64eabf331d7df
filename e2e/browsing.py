"""A person's way to a cluster: a forwarded port and a browser."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from .provider import Cluster
from .webtools import CHROMIUM, ensure_browser


@contextmanager
def port_forward(cluster: Cluster, namespace: str, service: str, port: int) -> Iterator[int]:
    """The port on this machine at which `kubectl port-forward` offers a port of a service."""
    command = [*cluster.kubectl_start, "-n", namespace, "port-forward", f"service/{service}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, "port-forward did not say its port"
            yield int(found[1])
        finally:
            process.terminate()


@contextmanager
def new_page(locale: str) -> Iterator[Page]:
    """An empty page of a browser that runs for it alone."""
    ensure_browser()
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser.new_page(locale=locale)
        browser.close()
