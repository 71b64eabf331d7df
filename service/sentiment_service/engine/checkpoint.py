"""A plain Hugging Face checkpoint as a model package: what its own files say, nothing calibrated."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from sentiment_service.engine.files import file_sha256
from sentiment_service.engine.protocol import ModelLoadError

CONFIG = "config.json"
_NEGATIVE = {"负面", "消极", "negative", "neg", "0", "label_0"}
_POSITIVE = {"正面", "积极", "positive", "pos", "1", "label_1"}
# Tokenizers without a limit say so with a huge number.
_NO_LIMIT = 1_000_000


def weights(directory: Path) -> list[Path]:
    """The files that hold the weights: safetensors, else a pickle that is only read as plain weights."""
    found = sorted(directory.glob("*.safetensors"))
    return found or sorted(directory.glob("pytorch_model*.bin"))


def manifest(directory: Path) -> dict[str, Any]:
    """What a model.json of the checkpoint would hold. 中性 is switched off: nothing calibrated it."""
    config = _read(directory / CONFIG)
    if not (directory / "tokenizer.json").is_file():
        raise ModelLoadError(
            f"{directory} has no tokenizer.json; save the fast tokenizer of the checkpoint beside it"
        )
    if not (found := weights(directory)):
        raise ModelLoadError(f"{directory} has neither *.safetensors nor pytorch_model.bin")
    small = {
        name: {"sha256": file_sha256(directory / name), "bytes": (directory / name).stat().st_size}
        for name in (CONFIG, "tokenizer.json")
    }
    # Nothing says what the weights should be, so they are named by size, not hashed at every start.
    known = [*small.items(), *((path.name, path.stat().st_size) for path in found)]
    return {
        "name": re.sub(r"[^A-Za-z0-9._-]|^\.", "_", directory.name)[:128] or "checkpoint",
        "version": "checkpoint",
        "labels": _labels(directory, config),
        "max_tokens": _max_tokens(directory, config),
        "neutral": {"low": 0.5, "high": 0.5},
        "files": small,
        "digest": "sha256:" + hashlib.sha256(json.dumps(known).encode()).hexdigest(),
    }


def _labels(directory: Path, config: dict[str, Any]) -> tuple[str, str]:
    """(negative, positive); a checkpoint that has them the other way round must not be served."""
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not isinstance(names, dict) or set(names) != {"0", "1"}:
        raise ModelLoadError(f"{directory / CONFIG}: id2label must name two classes, 0 and 1")
    negative, positive = str(names["0"]), str(names["1"])
    if negative.lower() in _POSITIVE or positive.lower() in _NEGATIVE:
        raise ModelLoadError(
            f"{directory / CONFIG}: class 0 is {negative!r} and class 1 {positive!r}, but class 1 must be "
            "the positive one; swap the two rows of the classifier"
        )
    return negative, positive


def _max_tokens(directory: Path, config: dict[str, Any]) -> int:
    limits = [config.get("max_position_embeddings")]
    if (path := directory / "tokenizer_config.json").is_file():
        limits.append(_read(path).get("model_max_length"))
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 3 <= limit < _NO_LIMIT]
    return min(known, default=512)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ModelLoadError(f"{path}: not a JSON object")
    return content
