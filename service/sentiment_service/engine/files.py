"""Compares the files of a package with what its manifest says. Imports nothing heavy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from sentiment_service.engine.protocol import ModelLoadError

MANIFEST = "model.json"
_CHUNK = 1 << 20


class Expected(TypedDict):
    sha256: str
    bytes: int


def verify(directory: Path, files: Mapping[str, Expected]) -> None:
    """Raises `ModelLoadError` for the first file whose size or SHA-256 is another."""
    for name, expected in files.items():
        path = directory / name
        try:
            size = path.stat().st_size
            if size != expected["bytes"]:
                raise ModelLoadError(f"{path} has {size} bytes, {MANIFEST} says {expected['bytes']}")
            found = file_sha256(path)
        except OSError as error:
            raise ModelLoadError(f"{path}: {error.strerror or error}") from error
        if found != expected["sha256"]:
            raise ModelLoadError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def engine_of(kind: str, directory: Path) -> str:
    """What ENGINE=`kind` runs the package with; auto: openvino an IR, torch a checkpoint alone."""
    if kind != "auto":
        return kind
    return "openvino" if (directory / "model.xml").is_file() else "torch"
