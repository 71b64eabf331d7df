"""What lies in a directory, a package or a checkpoint, said without loading the model."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentiment_models import faults, isolated, measure, package
from sentiment_models.calibrate import Floats
from sentiment_models.checkpoint import layout, rewrite


def inspect(folder: Path, labels: tuple[str, str] | None = None) -> dict[str, Any]:
    """Facts of model.json, or of the checkpoint."""
    if not folder.is_dir():
        raise faults.SourceNotFound(f"{folder} is not a directory")
    if (folder / package.MANIFEST).is_file():
        manifest: dict[str, Any] = json.loads((folder / package.MANIFEST).read_text("utf-8"))
        return {"kind": "package", **manifest}
    found = layout.read(folder, labels)
    tensors = _headers(found.weights)
    return {
        "kind": "checkpoint", "layout": found.layout, "model_type": found.config["model_type"],
        "labels": {"negative": found.labels[found.negative], "positive": found.labels[found.positive]},
        "max_tokens": found.max_tokens, "vocab_size": found.config.get("vocab_size"),
        "weights": {path.name: path.stat().st_size for path in found.weights},
        "dtypes": sorted({one["dtype"] for one in tensors.values()}),
    }  # fmt: skip


def whole(folder: Path) -> dict[str, Any]:
    """model.json of a package whose files are what it says; PackageInvalid says what is wrong."""
    try:
        return package.verify(folder)
    except package.PackageError as error:
        raise faults.PackageInvalid(str(error)) from error


def verify(folder: Path) -> dict[str, Any]:
    """Digests first, then one text through it; TorchMissing where a checkpoint can't be opened."""
    manifest = whole(folder)
    from tokenizers import Tokenizer

    try:
        row = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("房间很大，服务也好。").ids
        found = _logits(folder, manifest, row)
    except faults.Fault:
        raise
    except ModuleNotFoundError as error:
        raise faults.TorchMissing(f"there is no {error.name} here") from error
    except Exception as error:  # tokenizers and OpenVINO raise many kinds
        raise faults.PackageInvalid(f"{folder}: {str(error).strip().splitlines()[-1]}") from error
    if not abs(found).max() < float("inf"):
        raise faults.PackageInvalid(f"{folder}: the logits are not finite")
    return {"digest": manifest["digest"], "name": manifest.get("name"), "logits": found[0].tolist()}


def _logits(folder: Path, manifest: dict[str, Any], row: Sequence[int]) -> Floats:
    if package.engine(manifest["files"]) == "torch":
        return isolated.run(rewrite.logits, folder, [row])
    return isolated.run(measure.measure, folder / "model.xml", "f32", [row]).logits


def _headers(files: Sequence[Path]) -> dict[str, Any]:
    """safetensors' own lists: name → dtype and shape."""
    found: dict[str, Any] = {}
    for path in files:
        if path.suffix != ".safetensors":
            continue
        try:
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                if length > path.stat().st_size:
                    raise ValueError("the header is longer than the file")
                found |= json.loads(stream.read(length))
        except (struct.error, ValueError) as error:
            raise faults.CheckpointUnreadable(f"{path.name}: {error}") from error
    found.pop("__metadata__", None)
    return found
