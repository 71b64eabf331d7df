"""A stream of any length as requests of bounded size. Pure.

HTTP/1.1 clients send a whole body before they read the answer, so a request must be so small that its answers
fit into the buffers on the way: else both sides wait for each other.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from sentiment_client.answers import Answer, Failure, to_answer
from sentiment_client.errors import StreamBrokenError

ROWS = 256
CHARACTERS = 64 << 10
# On their way at a time: the service works on one while the next arrives.
LANES = 2


class Piece:
    """Texts that travel together; those without an answer travel again."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self._answers: list[Answer | Failure | None] = [None] * len(texts)
        self._sent: list[int] = []

    @property
    def open(self) -> list[int]:
        return [index for index, answer in enumerate(self._answers) if answer is None]

    def body(self) -> bytes:
        """The texts without an answer, one a line."""
        self._sent = self.open
        return b"".join(json.dumps({"text": self._texts[index]}).encode() + b"\n" for index in self._sent)

    def read(self, line: str) -> None:
        """Take one line of the answer; raises what the service says when it must end early."""
        found: dict[str, Any] = json.loads(line)
        if "summary" in found:
            return
        if "id" not in found:
            error = found["error"]
            raise StreamBrokenError(
                f"{error['message']} ({error['code']}, request {found.get('request_id')})"
            )
        # Rows without an id are numbered from 1 on.
        index = self._sent[found["id"] - 1]
        self._answers[index] = to_answer(self._texts[index], found)

    def answers(self) -> list[Answer | Failure]:
        """All of them, in the texts' order, once none is open."""
        return [answer for answer in self._answers if answer is not None]


def pieces(texts: Iterable[str]) -> Iterator[Piece]:
    """Cut a stream; nothing of it is read ahead of need."""
    rest = iter(texts)
    while first := list(itertools.islice(rest, 1)):
        yield Piece(_fill(first, rest))


def _fill(piece: list[str], rest: Iterator[str]) -> list[str]:
    characters = len(piece[0])
    while len(piece) < ROWS and characters < CHARACTERS:
        text = next(rest, None)
        if text is None:
            break
        piece.append(text)
        characters += len(text)
    return piece
