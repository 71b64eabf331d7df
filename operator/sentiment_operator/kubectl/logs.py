"""The pods' logs as people read them: the service writes JSON, one object a line."""

import json
from typing import Any

_SHOWN = ("timestamp", "level", "type", "message")


def readable(line: str) -> str:
    """`[pod] time LEVEL what …`; a line that is no JSON stays as it is."""
    prefix, brace, rest = line.partition("{")
    if not brace:
        return line
    try:
        entry: dict[str, Any] = json.loads(brace + rest)
        stamp, level = str(entry["timestamp"])[11:23], str(entry["level"])
    except (ValueError, KeyError):
        return line
    what = str(entry.get("message") or entry.get("error_message") or entry.get("type", ""))
    more = " ".join(
        f"{name}={value}" for name, value in entry.items() if name not in _SHOWN and value is not None
    )
    return f"{prefix}{stamp} {level:<7} {what} {more}".rstrip()
