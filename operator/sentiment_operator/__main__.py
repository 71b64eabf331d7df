"""`sentiment-operator`: runs the operator."""

import argparse
import os
import sys

import kopf

from . import handlers  # noqa: F401  registers the event handlers
from .cluster.client import Cluster
from .logs import set_up_logging
from .runtime import Runtime


def parser() -> argparse.ArgumentParser:
    """The command line; every option has an environment variable for the Deployment."""
    root = argparse.ArgumentParser(
        prog="sentiment-operator", description="Runs SentimentServices on Kubernetes."
    )
    commands = root.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="watch and reconcile until stopped")
    run.add_argument(
        "--service-image",
        default=os.environ.get("SERVICE_IMAGE"),
        help="image of services whose spec names none (SERVICE_IMAGE)",
    )
    run.add_argument(
        "--namespace",
        action="append",
        default=os.environ.get("WATCH_NAMESPACES", "").split(),
        help="watch only this namespace; may be repeated (WATCH_NAMESPACES, separated by blanks)",
    )
    run.add_argument("--port", type=int, default=8080, help="of /livez, /readyz and /metrics")
    run.add_argument(
        "--log-level",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        default=os.environ.get("LOG_LEVEL", "INFO"),
        help="the least level that is logged (LOG_LEVEL)",
    )
    return root


def main(arguments: list[str] | None = None) -> int:
    """0 when asked to stop; 1 with a sentence when it can't start."""
    options = parser().parse_args(arguments)
    if not options.service_image:
        print("sentiment-operator: give --service-image or set SERVICE_IMAGE", file=sys.stderr)
        return 1
    set_up_logging(options.log_level)
    runtime = Runtime(Cluster(), options.service_image, options.namespace)
    kopf.run(
        clusterwide=not options.namespace,
        namespaces=options.namespace,
        memo=kopf.Memo(runtime=runtime, port=options.port),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
