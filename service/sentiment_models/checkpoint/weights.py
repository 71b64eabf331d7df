"""Weights from safetensors or torch's zip format, with transformers' names. Imports torch, runs no code."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sentiment_models.faults import CheckpointUnreadable, CheckpointUnsafe, KeysMismatch, WeightsNotFinite

# Tables of numbers 0, 1, 2 … that old versions saved, and heads of pre-training.
HARMLESS = re.compile(r"(.*\.)?(position_ids|token_type_ids)$|^(cls|lm_head|discriminator_predictions)\.")
SHOWN = 5


def load(files: Iterable[Path]) -> dict[str, Any]:
    """Tensors by name, mapped from the files where the format allows it."""
    found: dict[str, Any] = {}
    for path in files:
        found |= _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    return found


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file  # type: ignore[import-not-found, unused-ignore]

    try:
        return dict(load_file(path))
    except Exception as error:  # SafetensorError is not exported everywhere
        raise CheckpointUnreadable(f"{path.name}: {error}") from error


def _torch(path: Path) -> dict[str, Any]:
    import pickle

    import torch  # type: ignore[import-not-found, unused-ignore]

    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            head = stream.read(4)
        if head[:2] == b"PK":
            raise CheckpointUnreadable(f"{path.name} is cut off")
        raise CheckpointUnsafe(f"{path.name} is a plain pickle, not torch's zip format")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise CheckpointUnsafe(f"{path.name} holds more than weights") from error
    except Exception as error:  # torch raises RuntimeError, EOFError, … of damaged files
        raise CheckpointUnreadable(f"{path.name}: {str(error).splitlines()[0]}") from error
    while isinstance(loaded, Mapping) and isinstance(
        loaded.get("state_dict") or loaded.get("model"), Mapping
    ):
        loaded = loaded.get("state_dict") or loaded.get("model")
    if not isinstance(loaded, Mapping) or not all(torch.is_tensor(value) for value in loaded.values()):
        raise CheckpointUnreadable(f"{path.name} does not hold tensors by name")
    return dict(loaded)


def rename(found: Mapping[str, Any], expected: Iterable[str], base: str) -> tuple[dict[str, Any], list[str]]:
    """(tensors by transformers' names, ignored names). `base` is the family's prefix, such as `bert`.

    Knows ModelScope's `encoder.…` for the whole encoder and `head.…` for the classifier, DataParallel's
    `module.`, and TensorFlow's gamma and beta. KeysMismatch names what is missing and what is too much.
    """
    wanted = set(expected)
    renamed: dict[str, Any] = {}
    ignored: list[str] = []
    for name, tensor in found.items():
        if HARMLESS.search(name):
            ignored.append(name)
            continue
        target = next((one for one in _candidates(name, base) if one in wanted), name)
        if target in renamed:
            raise KeysMismatch(f"two weights stand for {target}")
        renamed[target] = tensor
    missing, extra = sorted(wanted - renamed.keys()), sorted(renamed.keys() - wanted)
    if missing or extra:
        parts = [_list("missing", missing), _list("unexpected", extra)]
        raise KeysMismatch("; ".join(part for part in parts if part))
    return renamed, sorted(ignored)


def _candidates(name: str, base: str) -> Iterable[str]:
    name = name.removeprefix("module.")
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
    yield name
    if name.startswith("head."):
        yield name.removeprefix("head.")
    if name.startswith("encoder."):
        yield f"{base}.{name.removeprefix('encoder.')}"
    if name.startswith("bert."):
        yield f"{base}.{name.removeprefix('bert.')}"
    yield f"{base}.{name}"


def _list(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what}: {', '.join(names[:SHOWN])}{more}"


def finite(tensors: Mapping[str, Any]) -> None:
    """WeightsNotFinite names the first weights that hold NaN or infinity."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    bad = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise WeightsNotFinite(_list("NaN or infinity in", sorted(bad)))
