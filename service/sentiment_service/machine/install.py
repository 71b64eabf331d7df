"""`sentiment-service install`: writes the files, and has systemd or supervisor, and nginx, take them up."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sentiment_service.machine.render import ENVIRONMENT, NGINX, Files, Plan, Site, supervisor, systemd

# Under ProtectHome and for other users these are empty.
_HOMES = ("/home", "/root", "/run/user")
# Debian's welcome page, which answers to any name as we would.
_WELCOME = Path("/etc/nginx/sites-enabled/default")
Command = list[str]


class InstallError(Exception):
    """What keeps it from being installed, and what to do."""


def run(options: argparse.Namespace, show: Callable[[str], object] = print) -> int:
    """0 when all runs (or, with --root, is written)."""
    plan = Plan(
        python=sys.executable,
        instances=options.instances,
        first_port=options.first_port,
        memory_max=options.memory_max,
        user=options.user,
        httpok=str(Path(sys.executable).parent / "httpok"),
    )
    certificate, key = (str(path.resolve()) for path in options.tls) if options.tls else ("", "")
    site = Site(
        upstreams=plan.upstreams,
        server_name=options.server_name,
        certificate=(certificate, key) if certificate else None,
        rate=options.rate,
    )
    files = (systemd if options.manager == "systemd" else supervisor)(plan, site)
    try:
        if plan.ports[-1] > 65535:
            raise InstallError(f"there is no port {plan.ports[-1]}: give a lower --first-port")
        if options.root is not None:
            _write(files, options.root, show)
            return 0
        _examine(options, plan, site)
        with _nginx_as_it_was():
            _write(files, Path("/"), show)
            _call(["nginx", "-t"], show)
        if options.manager == "supervisor":
            Path(plan.logs).mkdir(exist_ok=True)
        for command in takes_up(options.manager, plan):
            _call(command, show)
    except (InstallError, OSError) as error:
        print(f"sentiment-service: {error}", file=sys.stderr)
        return 1
    return 0


def takes_up(manager: str, plan: Plan) -> list[Command]:
    """What makes the managers see the files, in this order."""
    units = [f"sentiment-service@{port}.service" for port in plan.ports]
    begin = (
        [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "sentiment-service.target", *units],
            # One after the other: each is waited for until it is ready.
            *(["systemctl", "restart", unit] for unit in units),
            ["systemctl", "start", "sentiment-service.target"],
        ]
        if manager == "systemd"
        else [["supervisorctl", "update"]]
    )
    reload = (
        ["systemctl", "reload-or-restart", "nginx"] if manager == "systemd" else ["nginx", "-s", "reload"]
    )
    return [*begin, reload]


def _examine(options: argparse.Namespace, plan: Plan, site: Site) -> None:
    if os.geteuid() != 0:
        raise InstallError("only root can install it; --root DIR writes the files elsewhere, to look at")
    needed = ["nginx", "systemctl" if options.manager == "systemd" else "supervisorctl"]
    if missing := [name for name in needed if shutil.which(name) is None]:
        raise InstallError(f"{' and '.join(missing)} missing here: install it first, as with `apt install`")
    if options.manager == "supervisor" and not Path(plan.httpok).exists():
        raise InstallError(f"{plan.httpok} is missing: pip install superlance")
    if hidden := hidden_place([sys.prefix, sys.base_prefix, Path(__file__)]):
        raise InstallError(
            f"{hidden} is hidden from the service's user: install into a folder of the system "
            "(python3 -m venv /opt/sentiment-service && /opt/sentiment-service/bin/pip install …), "
            "and run its sentiment-service"
        )
    if site.any_name and _WELCOME.exists():
        raise InstallError(
            f"{_WELCOME}, nginx's welcome page, answers to any name already: remove it, or give --server-name"
        )
    for path in options.tls or ():
        if not path.exists():
            raise InstallError(f"{path} does not exist")


def hidden_place(places: Iterable[str | Path]) -> Path | None:
    """The first that lies in somebody's home."""
    resolved = (Path(place).resolve() for place in places)
    return next((one for one in resolved if any(one.is_relative_to(home) for home in _HOMES)), None)


@contextmanager
def _nginx_as_it_was() -> Iterator[None]:
    """nginx may serve others: a file that it cannot read must not stay, its next start would fail."""
    before = Path(NGINX).read_bytes() if Path(NGINX).exists() else None
    try:
        yield
    except (InstallError, OSError):
        if before is None:
            Path(NGINX).unlink(missing_ok=True)
        else:
            Path(NGINX).write_bytes(before)
        raise


def _write(files: Files, root: Path, show: Callable[[str], object]) -> None:
    for where, text in files.items():
        path = root / where.relative_to("/")
        if where == ENVIRONMENT and path.exists():
            show(f"{path} stays as it is")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o644)
        show(str(path))


def _call(command: Command, show: Callable[[str], object]) -> None:
    show("$ " + " ".join(command))
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise InstallError(f"{command[0]} is missing") from None
    except subprocess.CalledProcessError as error:
        raise InstallError(
            f"{' '.join(command)}: exit code {error.returncode}; what it said is above"
        ) from None
