"""Asks the pod that prepares a model how far it is.

As the Containerized Data Importer does it: the pod serves its progress, and whoever wants to know comes for
it. So the pod needs no token, and the operator no right to read logs. What can't be reached (a NetworkPolicy)
costs the percentage and nothing else: how a preparation ended is told by the kubelet.
"""

import logging

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from pydantic import BaseModel, Field

from ..api.kinds import PROGRESS_PORT

log = logging.getLogger(__name__)
_SECONDS = 2.0
_MOST_BYTES = 65536


class _Progress(BaseModel):
    """What is believed of the answer."""

    phase: str = Field(max_length=32)
    percent: int = Field(ge=0, le=100)


class PodProgress:
    """Made and used in one event loop."""

    def __init__(self) -> None:
        self._session = ClientSession(timeout=ClientTimeout(total=_SECONDS), trust_env=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def ask(self, address: str) -> tuple[str, int] | None:
        """(phase, percent) of the pod at an IP address; None when it does not answer."""
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._session.get(
                f"http://{host}:{PROGRESS_PORT}/progress", allow_redirects=False
            ) as answer:
                told = _Progress.model_validate(orjson.loads(await answer.content.read(_MOST_BYTES)))
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            log.debug("no progress from %s: %s", address, error)
            return None
        return told.phase, told.percent
