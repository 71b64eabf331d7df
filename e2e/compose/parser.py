"""compose.yaml as Docker Compose reads it: by compose-go, its own parser."""

import json
from pathlib import Path
from typing import Any

from ..cluster.build import Program, build_module
from ..cluster.shell import run
from .files import FOLDER

_MODULE = Path(__file__).parent
_PARSER = Program("compose-go", "github.com/compose-spec/compose-go/v2/cmd")


def parsed() -> dict[str, Any]:
    """Checked against the specification; anchors merged, the variables of .env filled in."""
    program = build_module((_PARSER,), _MODULE) / _PARSER.name
    model: dict[str, Any] = json.loads(
        run([program, "-format=json", "compose.yaml"], what="compose-go", cwd=FOLDER)
    )
    return model
