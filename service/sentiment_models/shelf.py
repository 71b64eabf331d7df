"""The folder in which packages lie side by side: one writer at a time, and nothing left over."""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sentiment_models.package import MANIFEST

# What the folder of an unfinished preparation is called: .NAME.work-…
WORK = "work-"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other preparation writes into the folder, and keep others out meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            # Some network volumes have none; a Job's pods are one at a time all the same.
            if error.errno not in _NO_LOCKS:
                raise
        yield


def sweep(folder: Path, keep: Collection[str]) -> list[str]:
    """Remove the packages that are not named, and what half-made ones left; the names of what went.

    Whatever is neither stays, and what a download to a named one goes on with.
    """
    gone = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_dir():
            continue
        if path.name.startswith("."):
            unwanted = path.name.count(".") > 1 and not any(
                path.name.startswith(f".{one}.{WORK}") for one in keep
            )
        else:
            unwanted = (path / MANIFEST).is_file() and path.name not in keep
        if unwanted:
            shutil.rmtree(path)
            gone.append(path.name)
    return gone
