"""The memory that request and response bodies may take together, in one worker.

A limit for each body is not enough: a thousand clients may each send, or leave unread, just less than it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class Holder(ABC):
    """Somebody who holds bytes. `waiting`: on its client, so that its end costs nobody else's work."""

    held = 0
    waiting = True

    @abstractmethod
    def evict(self) -> None:
        """End soon, and answer 429 if nothing was answered yet."""


class BodyBudget:
    """When the sum is above the limit, the largest of those that wait on their client has to go: many
    small requests are served while a few large and slow ones are held open."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._holders: set[Holder] = set()

    def charge(self, holder: Holder, size: int) -> None:
        """`holder` now holds `size` bytes."""
        self._holders.add(holder)
        self.total += size - holder.held
        holder.held = size
        while self.total > self.limit:
            victim = max(
                (one for one in self._holders if one.waiting), key=lambda one: one.held, default=None
            )
            if victim is None:
                return
            self.release(victim)
            victim.evict()

    def release(self, holder: Holder) -> None:
        if holder in self._holders:
            self._holders.remove(holder)
            self.total -= holder.held
            holder.held = 0
