"""SOURCE → a folder with the checkpoint, and what exactly came."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sentiment_models import faults
from sentiment_models.sources import archive, bucket, http, hubs
from sentiment_models.sources.credentials import Credentials
from sentiment_models.sources.spec import Source

PATIENCE = http.Patience()
_COMMIT = re.compile("[0-9a-f]{40}")
BUNDLED = Path(__file__).parents[2] / "sentiment_service" / "bundled"


@dataclass(frozen=True)
class Fetched:
    """The checkpoint's folder and the revision that names its content for good."""

    folder: Path
    revision: str


@dataclass(frozen=True)
class Outlook:
    """What fetching would bring: revision (None: known afterwards), bytes (None: the server doesn't say)."""

    revision: str | None
    bytes: int | None
    files: tuple[str, ...] = ()


def look(source: Source, credentials: Credentials) -> Outlook:
    """Ask, without fetching."""
    if source.kind in ("bundled", "directory"):
        folder = _local(source)
        return Outlook(None, 0, tuple(sorted(p.name for p in folder.iterdir() if p.is_file())))
    if source.kind == "http":
        return Outlook(source.sha256, http.size(source.location, credentials))
    if source.offline:
        return Outlook(_revision(hubs.cached(source)), 0)
    if source.kind == "bucket":
        snapshot = bucket.look(source, bucket.open_filesystem(source, credentials))
    else:
        snapshot = hubs.look(source, credentials)
    return Outlook(snapshot.commit, snapshot.bytes, tuple(entry.path for entry in snapshot.files))


def fetch(
    source: Source,
    work: Path,
    credentials: Credentials,
    advance: http.Advance,
    max_unpacked: int = archive.MAX_BYTES,
    patience: http.Patience = PATIENCE,
) -> Fetched:
    """Fetch into `work`, which a later call goes on with. Local sources are used where they lie."""
    if source.kind in ("bundled", "directory"):
        folder = _local(source)
        return Fetched(folder, _digest(folder))
    if source.offline:
        if source.kind not in ("huggingFace", "modelScope"):
            raise faults.SourceOffline(
                f"{source.shown} has no cache", "Leave --offline out, or give a directory."
            )
        folder = hubs.cached(source)
        return Fetched(folder, _revision(folder))
    work.mkdir(parents=True, exist_ok=True)
    if source.kind == "http":
        name = Path(source.shown.rpartition("/")[2]).name or "download"
        found = http.download(source.location, work / name, credentials, advance, source.sha256, patience)
        return Fetched(_unpack(work / name, work, max_unpacked), f"sha256-{found}")
    if source.kind == "bucket":
        filesystem = bucket.open_filesystem(source, credentials)
        snapshot = bucket.look(source, filesystem)
        folder = work / snapshot.commit
        folder.mkdir(exist_ok=True)
        paths = bucket.fetch(source, snapshot, filesystem, folder, advance)
        if snapshot.files[0].path == "":
            _checksum(source, paths[0])
            folder = _unpack(paths[0], work, max_unpacked)
        return Fetched(folder, snapshot.commit)
    snapshot = hubs.look(source, credentials)
    folder = work / snapshot.commit
    folder.mkdir(exist_ok=True)
    hubs.fetch(source, snapshot, folder, credentials, advance)
    return Fetched(folder, snapshot.commit)


def _local(source: Source) -> Path:
    folder = BUNDLED if source.kind == "bundled" else Path(source.location)
    if not folder.is_dir():
        raise faults.SourceNotFound(f"{folder} is not a directory")
    return folder


def _checksum(source: Source, path: Path) -> None:
    if source.sha256 and (found := http.digest(path)) != source.sha256:
        path.unlink()
        raise faults.ChecksumMismatch(
            f"{source.shown} has the sha256 {found}, and {source.sha256} was expected"
        )


def _revision(cached: Path) -> str:
    """The commit that a hub's library called its folder by, else a digest of what lies there."""
    return cached.name if _COMMIT.fullmatch(cached.name) else _digest(cached)


def _digest(folder: Path) -> str:
    """Of the names and contents of the wanted files."""
    entries = [hubs.Entry(p.name, 0, None) for p in sorted(folder.iterdir()) if p.is_file()]
    whole = hashlib.sha256()
    for entry in hubs.wanted(entries):
        whole.update(f"{entry.path} {http.digest(folder / entry.path)}\n".encode())
    return f"sha256-{whole.hexdigest()[:40]}"


def _unpack(path: Path, work: Path, max_bytes: int) -> Path:
    """Into a folder of its own; a lone folder inside is the checkpoint."""
    folder = work / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    archive.unpack(path, folder, max_bytes)
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
