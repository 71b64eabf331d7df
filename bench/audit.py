"""The API server's own audit log: who asked for what, when, and how it was answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Call:
    """One finished request; `received` and `done` are the API server's clock, seconds."""

    user: str
    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    received: float
    done: float

    @property
    def writes(self) -> bool:
        return self.verb in WRITES

    @property
    def of_lease(self) -> bool:
        return self.resource == "leases"

    @property
    def creates(self) -> bool:
        """An apply of what was not there is a patch that is answered with 201."""
        return self.writes and self.code == 201


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of audit lines at level Metadata."""
    for line in lines:
        entry = json.loads(line)
        about = entry.get("objectRef", {})
        yield Call(
            user=entry["user"]["username"],
            agent=entry.get("userAgent", ""),
            verb=entry["verb"],
            resource="/".join(filter(None, (about.get("resource", ""), about.get("subresource", "")))),
            namespace=about.get("namespace", ""),
            name=about.get("name", ""),
            code=entry.get("responseStatus", {}).get("code", 0),
            received=_seconds(entry["requestReceivedTimestamp"]),
            done=_seconds(entry["stageTimestamp"]),
        )


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


class AuditLog:
    """Reads on from where it was."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0

    def new(self) -> list[Call]:
        """The calls since the last time, by when they were done."""
        with self._file.open("rb") as log:
            log.seek(self._at)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        return list(parse(whole.decode().splitlines()))
