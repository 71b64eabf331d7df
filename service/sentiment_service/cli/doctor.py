"""`sentiment-service doctor`: what this machine has, what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import psutil

from sentiment_service import __version__
from sentiment_service.api.keys import KeyRing, KeysFileError
from sentiment_service.cli.judge import judging
from sentiment_service.cpu import cgroup_quota, usable_threads
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.engine.memory import cgroup_limit
from sentiment_service.engine.package import ModelPackage
from sentiment_service.engine.protocol import ModelLoadError
from sentiment_service.processor import processor
from sentiment_service.settings import Settings

_MEGABYTE = 1 << 20
# Libraries, tokeniser and HTTP of a service without its model; the model comes on top.
_BASE_MEGABYTES = 200
_SAMPLE = "这款手机拍照效果真的很棒，电池续航也很给力！"


class Verdict(Enum):
    GOOD = "✓"
    SLOW = "!"
    BAD = "✗"


class Finding(NamedTuple):
    """One line of the report; `remedy` says what to do unless all is well."""

    what: str
    verdict: Verdict
    says: str
    remedy: str = ""


def vectors(root: Path = Path("/")) -> Finding:
    """The processor, and the instructions that matter."""
    found = processor(root)
    if found.vectors == ():
        return Finding(
            "processor",
            Verdict.SLOW,
            f"{found}, without AVX2",
            "answers take several times as long: let the virtual machine pass its host's CPU through",
        )
    if not found.int8:
        return Finding(
            "processor",
            Verdict.SLOW,
            f"{found}, without VNNI",
            "int8 saves memory here but no time: a processor with VNNI or AMX takes about a third of it",
        )
    return Finding("processor", Verdict.GOOD, str(found))


def quota(root: Path = Path("/")) -> Finding:
    """CPUs that this process may use, as the server takes them."""
    granted, threads = cgroup_quota(root), usable_threads(root)
    says = f"{threads} of {os.cpu_count()} cores" + (
        f", quota {granted:g} CPUs" if granted is not None else ""
    )
    if granted is not None and granted < 1:
        return Finding("CPU quota", Verdict.SLOW, says, "give it a whole CPU, or expect pauses in answers")
    return Finding("CPU quota", Verdict.GOOD, says)


def memory(model_bytes: int, root: Path = Path("/")) -> Finding:
    """The cgroup's limit and what is free, against what the model takes."""
    limit, free = cgroup_limit(root), psutil.virtual_memory().available
    needed = _BASE_MEGABYTES * _MEGABYTE + 2 * model_bytes
    says = f"{free // _MEGABYTE} MB free" + (f", limit {limit // _MEGABYTE} MB" if limit else ", no limit")
    if min(limit or free, free) < needed:
        remedy = f"the model takes about {needed // _MEGABYTE} MB: raise the limit, or serve a smaller one"
        return Finding("memory", Verdict.BAD, says, remedy)
    return Finding("memory", Verdict.GOOD, says)


def model(directory: Path) -> tuple[Finding, int]:
    """Every file's size and digest, and how large they are together."""
    try:
        package = ModelPackage.read(directory.resolve())
        package.verify()
    except ModelLoadError as error:
        remedy = "copy the package anew, or name another in MODEL_DIR (empty: the bundled one)"
        return Finding("model", Verdict.BAD, str(error), remedy), 0
    size = sum(entry.bytes for entry in package.manifest.files.values())
    manifest = package.manifest
    says = (
        f"{manifest.name} {manifest.version}, {manifest.short_digest}, {size / 1e6:.0f} MB, all files whole"
    )
    return Finding("model", Verdict.GOOD, says), size


def answer(settings: Settings) -> Finding:
    """One text through the real engine, which is started for it."""
    begin = time.perf_counter()

    async def ask() -> tuple[float, str, float]:
        async with judging(settings) as judge:
            [first] = await judge.judge([_SAMPLE])
            loaded = time.perf_counter()
            [found] = await judge.judge([_SAMPLE])
            assert found == first
            return loaded - begin, found.sentiment or found.error, (time.perf_counter() - loaded) * 1000

    try:
        start, says, milliseconds = asyncio.run(ask())
    except (ModelUnavailableError, OSError) as error:
        remedy = "see the model and memory above; a library that is missing is named here"
        return Finding("a test answer", Verdict.BAD, str(error), remedy)
    shown = f"{_SAMPLE} → {says}, loaded in {start:.1f} s, then {milliseconds:.0f} ms"
    return Finding("a test answer", Verdict.GOOD, shown)


def port(settings: Settings) -> Finding:
    """Whether `serve` could listen, and if not, because of whom."""
    where = f"{settings.host}:{settings.port}"
    try:
        with socket.create_server((settings.host, settings.port)):
            return Finding("port", Verdict.GOOD, f"{where} is free")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Finding("port", Verdict.BAD, f"{where}: {error.strerror}", "set HOST and PORT to others")
    remedy = f"end it, or set PORT to another (`sentiment-service serve --port {settings.port + 1}`)"
    return Finding("port", Verdict.BAD, f"{where} is taken{_by_whom(settings.port)}", remedy)


def _by_whom(number: int) -> str:
    try:
        listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        for pid in (one.pid for one in listening if one.laddr and one.laddr.port == number and one.pid):
            return f" by {psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:  # other users' processes can't be seen
        pass
    return ""


def files(settings: Settings) -> Iterator[Finding]:
    """What the settings name."""
    if settings.api_keys_file:
        try:
            KeyRing(settings.api_keys_file)
            yield Finding("API keys", Verdict.GOOD, str(settings.api_keys_file))
        except KeysFileError as error:
            yield Finding("API keys", Verdict.BAD, str(error), "correct API_KEYS_FILE, or leave it empty")
    if settings.log_file:
        folder = settings.log_file.parent
        good = os.access(settings.log_file if settings.log_file.exists() else folder, os.W_OK)
        yield (
            Finding("log file", Verdict.GOOD, str(settings.log_file))
            if good
            else Finding(
                "log file",
                Verdict.BAD,
                f"{settings.log_file} can't be written",
                f"make {folder} and give it to the user that serves",
            )
        )


def run(settings: Settings, show: Callable[[str], object] = print) -> int:
    """Print a line for each finding as it is found; 1 when something is bad, else 0."""
    bad = 0
    for finding in _findings(settings):
        show(f"{finding.verdict.value} {finding.what}: {finding.says}")
        if finding.verdict is not Verdict.GOOD:
            show(f"    → {finding.remedy}")
        bad += finding.verdict is Verdict.BAD
    show("All is well." if not bad else f"{bad} of these would keep the service from working.")
    return min(bad, 1)


def _findings(settings: Settings) -> Iterator[Finding]:
    system = f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("sentiment-service", Verdict.GOOD, f"{system}, {sys.executable}")
    yield vectors()
    yield quota()
    models = [model(directory) for directory in settings.packages.values()]
    yield memory(sum(size for _, size in models))
    yield from (found for found, _ in models)
    if all(found.verdict is Verdict.GOOD for found, _ in models):
        yield answer(settings)
    yield port(settings)
    yield from files(settings)
