"""Texts to token ids, with the truncation of the model set once."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from sentiment_service.engine.protocol import ModelLoadError


@dataclass(frozen=True, slots=True)
class Encoded:
    ids: tuple[int, ...]
    truncated: bool


class Tokeniser:
    """Thread-safe after construction: truncation and padding are never changed again."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        # Its own thread pool is sized by the host's cores, not by this container's share.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelLoadError(f"{path}: {error}") from error
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer.no_padding()

    def encode(self, texts: list[str]) -> list[Encoded]:
        encodings = self._tokenizer.encode_batch_fast(texts)
        return [Encoded(tuple(one.ids), bool(one.overflowing)) for one in encodings]


def is_blank(text: str) -> bool:
    """True when nothing in the text can be seen: white space, controls, zero-width characters."""
    return all(
        char.isspace() or unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp") for char in text
    )


def has_lone_surrogate(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
