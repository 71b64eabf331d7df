"""Space and rights on the volume, as faults."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentiment_models.faults import Fault, StorageDenied, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# More than what a library leaves unwritten in its buffers.
_PROBE = 1 << 20
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def of_os_error(error: OSError) -> StorageFull | StorageDenied | None:
    """The fault that an OSError of writing stands for."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in _FULL:
        quota = "the quota is used up" if error.errno == errno.EDQUOT else "no space is left on the volume"
        return StorageFull(f"{quota}{where}")
    if error.errno in _DENIED:
        return StorageDenied(f"{error.strerror}{where}")
    return None


@contextmanager
def faults() -> Iterator[None]:
    """OSErrors of a full or closed volume become faults."""
    try:
        yield
    except OSError as error:
        fault = of_os_error(error)
        if fault is None:
            raise
        raise fault from error


@contextmanager
def judged(folder: Path) -> Iterator[None]:
    """A library that failed without a word about the volume: StorageFull when nothing more fits into it."""
    try:
        yield
    except (Fault, OSError):
        raise
    except Exception as error:
        try:
            with faults(), tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(bytes(_PROBE))
        except StorageFull as full:
            raise full from error
        raise


def require(folder: Path, needed: int) -> None:
    """StorageFull before a byte is written, when `needed` bytes do not fit."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageFull(f"{folder} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed")
