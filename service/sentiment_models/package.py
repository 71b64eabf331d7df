"""The model package: a directory that is written to a temporary name, verified, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

MANIFEST = "model.json"
# What a package holds, by the engine of the service that it is for.
FILES = {
    "openvino": ("model.xml", "model.bin", "tokenizer.json"),
    "torch": ("config.json", "model.safetensors", "tokenizer.json"),
}


class PackageError(ValueError):
    """A package that is not what its model.json says."""


def engine(files: Iterable[str]) -> str | None:
    """The engine that a package of these files is for."""
    return next((name for name, known in FILES.items() if sorted(known) == sorted(files)), None)


def describe(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """sha256 and size of the files."""
    return {
        name: {"sha256": _sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in names
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:  # in pieces: it may be larger than what memory is left
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    """One digest over the sorted files' digests: `sha256:…` of lines `<name> <sha256>`."""
    lines = "".join(f"{name} {files[name]['sha256']}\n" for name in sorted(files))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def verify(folder: Path) -> dict[str, Any]:
    """model.json, when every file has the size and digest that it names."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PackageError(f"{folder}: no readable {MANIFEST}: {error}") from error
    files = manifest.get("files")
    if not isinstance(files, dict) or engine(files) is None:
        known = " or ".join(", ".join(names) for names in FILES.values())
        raise PackageError(f"{folder}: {MANIFEST} does not list {known}")
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise PackageError(f"{folder}: missing {', '.join(missing)}")
    for name, found in describe(folder, files).items():
        if files[name] != found:
            raise PackageError(f"{folder}: {name} is not the file that {MANIFEST} names")
    if manifest.get("digest") != digest(files):
        raise PackageError(f"{folder}: the digest is not that of the files")
    return manifest


def write(out: Path, manifest: Mapping[str, Any], produce: Callable[[Path], None]) -> dict[str, Any]:
    """Let `produce` write the files, add model.json, verify, and put the directory in the place of `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        produce(staging)
        files = describe(staging, sorted(path.name for path in staging.iterdir()))
        complete = {**manifest, "files": files, "digest": digest(files)}
        (staging / MANIFEST).write_text(json.dumps(complete, ensure_ascii=False, indent=2) + "\n", "utf-8")
        verify(staging)
        for path in staging.iterdir():
            path.chmod(0o444)
        staging.chmod(0o755)
        old = staging.with_name(staging.name + ".old")
        if out.exists():
            os.rename(out, old)
        os.rename(staging, out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return complete
