"""OpenTelemetry's own collector, of its pinned Go modules: takes OTLP over HTTP, and writes what came into a
file, one JSON object of OTLP a line.
"""

import json
from pathlib import Path

from ...build import Program, build_module

_MODULE = Path(__file__).parent
_PROGRAM = Program("otel-collector", ".")


def program() -> Path:
    """The collector, built when it is not there."""
    return build_module((_PROGRAM,), _MODULE) / _PROGRAM.name


def config(endpoint: str, file: str) -> str:
    """Its configuration, for `--config`: an address with a port for OTLP over HTTP, and the file to write."""
    whole = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": endpoint}}}},
        "exporters": {"file": {"path": file, "flush_interval": "100ms"}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            # Its own metrics would take a port that everybody's collector takes.
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    return f"yaml:{json.dumps(whole)}"
