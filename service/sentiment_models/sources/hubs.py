"""Hugging Face and ModelScope, through their own client libraries; the revision is pinned to a commit."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentiment_models import faults
from sentiment_models.sources import storage
from sentiment_models.sources.credentials import Credentials
from sentiment_models.sources.http import BY_STATUS, USER_AGENT, Advance
from sentiment_models.sources.spec import Source

TEXT = (
    "config.json", "configuration.json", "label_mapping.json", "model.json", "vocab.txt", "vocab.json",
    "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip
SAFE = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
TORCH = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")
PACKAGE = ("model.xml", "model.bin")


@dataclass(frozen=True)
class Entry:
    """A file of a repository; size in bytes, sha256 where the hub tells it."""

    path: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Snapshot:
    """What a revision is, and which of its files are wanted."""

    commit: str
    files: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.files)


def wanted(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Settings, tokenizer and one set of weights, safetensors if there; never code, never other formats."""
    weights = SAFE if any(_like(entry.path, SAFE) for entry in entries) else TORCH
    return tuple(entry for entry in entries if _like(entry.path, (*TEXT, *PACKAGE, *weights)))


def _like(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def look(source: Source, credentials: Credentials) -> Snapshot:
    """Ask the hub which commit the revision is and which files it has."""
    with _faults(source):
        if source.kind == "huggingFace":
            info = _hugging_face(source, credentials).model_info(
                source.location, revision=source.revision, files_metadata=True
            )
            entries = [
                Entry(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None)
                for one in info.siblings or []
            ]
            commit = str(info.sha)
        else:
            found = [
                one for one in _modelscope(source, credentials).legacy.list_repo_files(
                    source.location, "model", revision=source.revision or "master"
                ) if one.get("Type") != "tree"
            ]  # fmt: skip
            entries = [Entry(one["Path"], one.get("Size") or 0, one.get("Sha256") or None) for one in found]
            commit = _newest(found) or source.revision or "master"
    files = wanted(entries)
    if not files:
        raise faults.CheckpointIncomplete(f"{source.shown} holds no checkpoint")
    return Snapshot(commit, files)


def fetch(
    source: Source, snapshot: Snapshot, folder: Path, credentials: Credentials, advance: Advance
) -> None:
    """Fetch the wanted files of the commit into `folder`; the libraries resume what was begun."""
    done = 0
    storage.require(folder, snapshot.bytes - sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()))
    advance(0, snapshot.bytes)
    for entry in snapshot.files:
        with _faults(source), storage.faults():
            if source.kind == "huggingFace":
                _hugging_face(source, credentials).hf_hub_download(
                    source.location, entry.path, revision=snapshot.commit, local_dir=folder
                )
            else:
                _modelscope(source, credentials).download_file(
                    source.location, "model", entry.path, revision=snapshot.commit,
                    local_dir=folder, expected_sha256=entry.sha256, file_size=entry.size or None,
                )  # fmt: skip
        _check(source, entry, folder / entry.path)
        done += entry.size
        advance(done, snapshot.bytes)


def cached(source: Source) -> Path:
    """Offline: the folder in the library's cache ($HF_HUB_CACHE, $MODELSCOPE_CACHE), named by revision."""
    try:
        if source.kind == "huggingFace":
            from huggingface_hub import snapshot_download

            folder = Path(snapshot_download(source.location, revision=source.revision, local_files_only=True))
        else:
            from modelscope_hub import HubApi

            folder = HubApi().download_repo(
                source.location, "model", revision=source.revision, local_files_only=True
            )
    except Exception as error:
        raise faults.SourceOffline(f"{source.shown} is not in the cache: {type(error).__name__}") from error
    return folder


def _check(source: Source, entry: Entry, path: Path) -> None:
    from sentiment_models.sources.http import digest

    found = path.stat().st_size
    if entry.size and found != entry.size:
        path.unlink()
        raise faults.SourceTruncated(f"{source.shown}: {entry.path} has {found} bytes, not {entry.size}")
    if entry.sha256 and (other := digest(path)) != entry.sha256:
        path.unlink()
        raise faults.ChecksumMismatch(
            f"{source.shown}: {entry.path} has the sha256 {other}, and the hub names {entry.sha256}"
        )


def _newest(files: Sequence[dict[str, Any]]) -> str | None:
    """The commit of a listing: each file names the commit that changed it last."""
    dated = [(one.get("CommittedDate") or 0, one.get("Revision") or "") for one in files]
    return max(dated)[1] or None if dated else None


def _hugging_face(source: Source, credentials: Credentials) -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import HfApi

    return HfApi(
        endpoint=source.endpoint, token=credentials.get("HF_TOKEN") or False, library_name=USER_AGENT
    )


def _modelscope(source: Source, credentials: Credentials) -> Any:
    from modelscope_hub import HubApi

    return HubApi(endpoint=source.endpoint, token=credentials.get("MODELSCOPE_API_TOKEN"))


@contextmanager
def _faults(source: Source) -> Iterator[None]:
    """What the libraries raise becomes a fault; the HTTP status decides where there is one."""
    try:
        yield
    except faults.Fault:
        raise
    except Exception as error:
        status = _status(error)
        name = type(error).__name__
        cause = f"{source.shown}: {_first_line(error) or name}"
        if status in BY_STATUS and name != "GatedRepoError":
            raise BY_STATUS[status](cause) from error
        if name == "GatedRepoError" or status == 403:
            raise faults.SourceForbidden(cause) from error
        if name in (
            "RevisionNotFoundError",
            "RepositoryNotFoundError",
            "EntryNotFoundError",
            "NotExistError",
        ):
            raise faults.SourceNotFound(cause) from error
        if name in ("FileIntegrityError",):
            raise faults.ChecksumMismatch(cause) from error
        if name in ("FileSizeMismatchError",):
            raise faults.SourceTruncated(cause) from error
        if isinstance(error, OSError) and storage.of_os_error(error) is not None:
            raise
        raise faults.SourceUnavailable(cause) from error


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    code = getattr(response, "status_code", None) or getattr(error, "status_code", None)
    return int(code) if code else None


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
