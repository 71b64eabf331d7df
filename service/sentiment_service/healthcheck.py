"""The container's HEALTHCHECK. Standard library only, so that it costs little each time."""

from __future__ import annotations

import http.client
import os


def check(port: int | None = None, timeout: float = 3) -> str:
    """Empty when the service answers /livez, else why not."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port or int(os.environ.get("PORT", "7860")), timeout=timeout
    )
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return "" if status == 200 else f"/livez answered {status}"
