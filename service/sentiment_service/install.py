"""Copies the bundled model package to a volume: an init container's work, safe under several pods.

DIR/<name>-<digest12>/    the package; appears by one rename, complete and verified
DIR/<name> -> that        switched atomically; <name> is `bundled`
DIR/.tmp-*                work in progress; what is left of a killed run is removed later
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from sentiment_service.engine.files import MANIFEST
from sentiment_service.engine.package import ModelPackage
from sentiment_service.engine.protocol import ModelLoadError

LINK = "bundled"
_TEMP_PREFIX = ".tmp-"
_STALE_SECONDS = 3600.0


def install(source: Path, to: Path, *, now: float | None = None) -> Path:
    """Returns the installed package's directory. Doing it again changes nothing."""
    package = ModelPackage.read(source)
    to.mkdir(parents=True, exist_ok=True)
    _remove_stale(to, time.time() if now is None else now)
    target = to / f"{package.manifest.name}-{package.manifest.short_digest}"
    if not _is_whole(target, package):
        _copy(package, target)
    _point(to / LINK, target.name)
    return target


def _is_whole(target: Path, package: ModelPackage) -> bool:
    try:
        found = ModelPackage.read(target)
        found.verify()
    except ModelLoadError:
        return False
    return found.manifest == package.manifest


def _copy(package: ModelPackage, target: Path) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=_TEMP_PREFIX, dir=target.parent))
    try:
        for name in [*package.manifest.files, MANIFEST]:
            shutil.copyfile(package.path(name), temporary / name)
            (temporary / name).chmod(0o644)
            _sync(temporary / name)
        copy = ModelPackage.read(temporary)
        copy.verify()
        temporary.chmod(0o755)
        _sync(temporary)
        _rename(temporary, target, package)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(temporary: Path, target: Path, package: ModelPackage) -> None:
    """Put the copy in place. Another pod may be first; a damaged package in its place is moved away."""
    while True:
        try:
            temporary.rename(target)
        except OSError:
            if _is_whole(target, package):
                return
            _move_away(target)
        else:
            _sync(target.parent)
            return


def _move_away(target: Path) -> None:
    trash = Path(tempfile.mkdtemp(prefix=_TEMP_PREFIX, dir=target.parent))
    try:
        target.rename(trash / "damaged")
    except FileNotFoundError:
        pass  # another pod moved it first
    finally:
        shutil.rmtree(trash, ignore_errors=True)


def _point(link: Path, target: str) -> None:
    if link.is_symlink() and os.readlink(link) == target:
        return
    directory = Path(tempfile.mkdtemp(prefix=_TEMP_PREFIX, dir=link.parent))
    try:
        (directory / LINK).symlink_to(target)
        (directory / LINK).replace(link)
        _sync(link.parent)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_stale(to: Path, now: float) -> None:
    for path in to.glob(_TEMP_PREFIX + "*"):
        try:
            stale = now - path.stat().st_mtime > _STALE_SECONDS
        except FileNotFoundError:
            continue
        if stale:
            shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
