"""Space and rights on the volume, as faults."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentiment_models.faults import StorageDenied, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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


def require(folder: Path, needed: int) -> None:
    """StorageFull before a byte is written, when `needed` bytes do not fit."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageFull(f"{folder} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed")
