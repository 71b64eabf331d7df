"""s3:// and its like through fsspec: a folder of files, or one archive. Resumes inside a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentiment_models import faults
from sentiment_models.sources import storage
from sentiment_models.sources.credentials import Credentials
from sentiment_models.sources.http import BY_STATUS, CHUNK, Advance
from sentiment_models.sources.hubs import Entry, Snapshot, wanted
from sentiment_models.sources.spec import Source

ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")


def open_filesystem(source: Source, credentials: Credentials) -> Any:
    """The fsspec file system; without credentials here, those of the cloud's own chain."""
    import fsspec

    scheme = source.location.partition("://")[0]
    options: dict[str, Any] = {"skip_instance_cache": True}
    if scheme == "s3":
        options["key"] = credentials.get("AWS_ACCESS_KEY_ID")
        options["secret"] = credentials.get("AWS_SECRET_ACCESS_KEY")
        options["token"] = credentials.get("AWS_SESSION_TOKEN")
        if source.endpoint:
            options["endpoint_url"] = source.endpoint
    try:
        return fsspec.filesystem(scheme, **options)
    except ImportError as error:
        raise faults.SourceInvalid(f"{scheme}:// needs a package that is not here: {error}") from error


def look(source: Source, filesystem: Any) -> Snapshot:
    """The archive, or the wanted files under the prefix; the commit is a digest of names, sizes and tags."""
    with _faults(source):
        path = filesystem._strip_protocol(source.location)
        if path.endswith(ARCHIVES):
            found = {"": filesystem.info(path)}
        else:
            listed = filesystem.find(path, detail=True)
            found = {name.removeprefix(path).strip("/"): info for name, info in listed.items()}
    entries = [Entry(name, int(info["size"]), None) for name, info in sorted(found.items())]
    files = tuple(entries) if "" in found else wanted(entries)
    if not files:
        raise faults.SourceNotFound(f"{source.shown} holds no checkpoint")
    text = "\n".join(f"{e.path} {e.size} {_tag(found[e.path])}" for e in files)
    return Snapshot(f"etags-{hashlib.sha256(text.encode()).hexdigest()[:40]}", files)


def fetch(source: Source, snapshot: Snapshot, filesystem: Any, folder: Path, advance: Advance) -> list[Path]:
    """Fetch the files into `folder`; what is there of this very snapshot is not fetched again."""
    root = filesystem._strip_protocol(source.location)
    done, paths = 0, []
    advance(0, snapshot.bytes)
    for entry in snapshot.files:
        target = folder / (entry.path or root.rpartition("/")[2])
        target.parent.mkdir(parents=True, exist_ok=True)
        have = target.stat().st_size if target.exists() else 0
        with storage.faults(), _faults(source), target.open("ab") as out:
            storage.require(folder, entry.size - have)
            if have < entry.size:
                where = f"{root}/{entry.path}" if entry.path else root
                with filesystem.open(where, "rb", block_size=8 * CHUNK, cache_type="readahead") as stream:
                    stream.seek(have)
                    while chunk := stream.read(CHUNK):
                        out.write(chunk)
                        have += len(chunk)
                        advance(done + have, snapshot.bytes)
        if have != entry.size:
            target.unlink()
            raise faults.SourceTruncated(f"{source.shown}: {entry.path} has {have} bytes, not {entry.size}")
        done += entry.size
        paths.append(target)
    return paths


def _tag(info: dict[str, Any]) -> str:
    return str(info.get("ETag") or info.get("etag") or info.get("LastModified") or info.get("mtime") or "")


@contextmanager
def _faults(source: Source) -> Iterator[None]:
    try:
        yield
    except faults.Fault:
        raise
    except FileNotFoundError as error:
        raise faults.SourceNotFound(f"{source.shown} is not there") from error
    except PermissionError as error:
        raise faults.SourceForbidden(f"{source.shown}: {error}") from error
    except Exception as error:
        if isinstance(error, OSError) and storage.of_os_error(error) is not None:
            raise
        name = type(error).__name__
        if "Credentials" in name:
            raise faults.SourceUnauthorized(f"{source.shown}: {error}") from error
        # s3fs makes an OSError of it, and keeps what the server said as its cause.
        told = getattr(error, "response", None) or getattr(error.__cause__, "response", None) or {}
        code = told.get("ResponseMetadata", {}).get("HTTPStatusCode")
        raise BY_STATUS.get(code or 0, faults.SourceUnavailable)(f"{source.shown}: {error}") from error
