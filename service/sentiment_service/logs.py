"""Logs: one JSON object a line on stdout, whatever a text holds."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

# The article's figures.
_FILE_BYTES = 50 << 20
_FILES_KEPT = 10
_LOGGER = logging.getLogger("sentiment_service")
# Valid inside JSON strings, but taken for line ends by some readers.
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def to_line(entry: dict[str, Any]) -> str:
    """One line of JSON that can always be encoded: a lone surrogate becomes its JSON escape."""
    line = _LINE_ENDS.sub(lambda end: f"\\u{ord(end[0]):04x}", _to_json(entry))
    return line.encode("utf-8", "backslashreplace").decode("utf-8")


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {"timestamp": utc_now(), "level": record.levelname}
        fields = getattr(record, "entry", None)
        if fields is None:
            fields = {"type": "log", "logger": record.name, "message": record.getMessage()}
        entry.update(fields)
        if record.exc_info and record.exc_info[1] is not None:
            entry["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return to_line(entry)


def configure(level: str, file: Path | None = None, stream: TextIO | None = None) -> None:
    """Send every logger of the process, uvicorn's and Python's warnings too, through the one formatter: to
    stdout, and to `file` if there is one. Raises `OSError` when that cannot be written."""
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    handlers: list[logging.Handler] = [logging.StreamHandler(stream)]
    if file is not None:
        handlers.append(_rotating(file))
    for handler in handlers:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=handlers, level=level, force=True)
    logging.captureWarnings(True)
    # No line says where in the code it was logged: as the standard library documents, it then does not look.
    logging._srcfile = None
    # It names what the lines about requests already tell.
    logging.getLogger("uvicorn.access").disabled = True


def _rotating(file: Path) -> logging.Handler:
    # Not the standard library's: with several workers each would rotate the others' file away.
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a"):
        pass  # told now, not at the first line
    return ConcurrentRotatingFileHandler(
        str(file), maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
    )


def log_event(message: str, **fields: Any) -> None:
    _LOGGER.info(message, extra={"entry": {"type": "event", "message": message, **fields}})


def log_request(
    request_id: str,
    text: str,
    *,
    sentiment: str | None,
    confidence: float | None,
    latency_ms: float,
    preview_chars: int,
    **more: Any,
) -> None:
    """An answered request; a batch passes its first text and its counts in `more`."""
    entry: dict[str, Any] = {
        "type": "request",
        "request_id": request_id,
        "text_length": len(text),
        "sentiment": sentiment,
        "confidence": confidence,
        "latency_ms": round(latency_ms, 2),
        **more,
    }
    if preview_chars:
        entry["text_preview"] = text[:preview_chars] + "..." if len(text) > preview_chars else text
    _LOGGER.info("request", extra={"entry": entry})


def log_error(
    request_id: str,
    error_type: str,
    error_message: str,
    context: dict[str, Any],
    *,
    level: int = logging.ERROR,
    exception: BaseException | None = None,
) -> None:
    entry = {
        "type": "error",
        "request_id": request_id,
        "error_type": error_type,
        "error_message": error_message,
        "context": context,
    }
    _LOGGER.log(level, error_message, exc_info=exception, extra={"entry": entry})
