"""Structured logs: one JSON object per line on standard error."""

import logging

from pythonjsonlogger.json import JsonFormatter


def set_up_logging(level: str) -> None:
    """Everything at `level`."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
