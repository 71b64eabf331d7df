"""How long requests wait for what was there and should be there again."""

from __future__ import annotations

import asyncio
import time

PATIENCE_SECONDS = 8.0
"""Until nobody sends more: two failed readiness probes, 3 s apart, and the news of it."""


class Patience:
    """Begins when something is lost; over from the start."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self) -> None:
        self._until = time.monotonic() + PATIENCE_SECONDS

    @property
    def left(self) -> float:
        """Seconds; 0 when it is over."""
        return max(0.0, self._until - time.monotonic())

    async def wait(self, event: asyncio.Event) -> bool:
        """Whether it came in time."""
        if not self.left:
            return False
        try:
            async with asyncio.timeout(self.left):
                return await event.wait()
        except TimeoutError:
            return False
