"""The container's HEALTHCHECK. Standard library only, so that it costs little each time."""

from __future__ import annotations

import http.client
import os


def check(port: int | None = None, timeout: float = 3) -> str:
    """Empty when the service answers /livez, else why not."""
    return _ask("/livez", port or int(os.environ.get("PORT", "7860")), timeout)


def ready(port: int) -> bool:
    """Whether the service on this machine takes requests."""
    return not _ask("/readyz", port, 3)


def _ask(path: str, port: int, timeout: float) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return "" if status == 200 else f"{path} answered {status}"
