"""Dashboards as Grafana's own schema has them: grafana-foundation-sdk, which its authors generate from it."""

from pathlib import Path

from ..cluster.build import Program, build_module
from ..cluster.shell import run

_MODULE = Path(__file__).parent
_PROGRAM = Program("dashboard-schema", ".")


def strictly_read(dashboard: str) -> str:
    """A dashboard's JSON as the schema keeps it.

    Raises ClusterError for a field that is unknown, missing or of another type. What is unknown in
    `fieldConfig` is only lost.
    """
    program = build_module((_PROGRAM,), _MODULE) / _PROGRAM.name
    return run([program], what="dashboard-schema", stdin=dashboard)
