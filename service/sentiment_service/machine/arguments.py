"""The flags of `install`. Imports nothing heavy: every command comes through here."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

EPILOG = """examples:
  sentiment-service install systemd
  sentiment-service install systemd --server-name mood.example.com --tls /etc/ssl/one.crt /etc/ssl/one.key
  sentiment-service install supervisor --instances 2

Instances listen on ports of their own on the loopback interface, nginx in front of them. Settings are in
/etc/sentiment-service/environment (systemd). Run it again to change what is said here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own."""
    parser.add_argument("manager", choices=("systemd", "supervisor"), help="what starts and watches it")
    parser.add_argument("--instances", type=_count, default=3, metavar="N", help="how many (default: 3)")
    parser.add_argument(
        "--first-port", type=_port, default=7861, metavar="PORT", help="of the first one (default: 7861)"
    )
    parser.add_argument(
        "--memory-max", type=_size, default="2G", metavar="SIZE", help="of each, under systemd (default: 2G)"
    )
    parser.add_argument(
        "--user",
        default="www-data",
        help="that supervisor runs it as (default: www-data); systemd makes one up",
    )
    parser.add_argument(
        "--server-name", type=_name, default="_", metavar="HOST", help="nginx answers to (default: to any)"
    )
    parser.add_argument(
        "--tls", nargs=2, type=Path, metavar=("CERT", "KEY"), help="serve HTTPS; HTTP is sent on to it"
    )
    parser.add_argument(
        "--rate", type=_count, default=100, help="API requests a second of one client (default: 100)"
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="write the files below DIR, and start nothing: to look, to package",
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _port(text: str) -> int:
    number = _count(text)
    if number > 65535:
        raise argparse.ArgumentTypeError("at most 65535")
    return number


def _size(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*[KMGT]?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 2G")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.*_-]+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no host name")
    return text
