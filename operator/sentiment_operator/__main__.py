"""`sentiment-operator`: runs the operator."""

import argparse
import asyncio
import os
import signal
import socket
import sys
import uuid

from .cluster.connection import Connection, ConnectionConfigError, find_connection
from .health import HealthServer
from .logs import set_up_logging
from .runtime import Options, Runtime


def parser() -> argparse.ArgumentParser:
    """The command line; every option has an environment variable for the Deployment."""
    root = argparse.ArgumentParser(
        prog="sentiment-operator",
        description="Runs SentimentServices and prepares SentimentModels on Kubernetes.",
    )
    commands = root.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="watch and reconcile until stopped")
    run.add_argument(
        "--service-image",
        default=os.environ.get("SERVICE_IMAGE"),
        help="image of services whose spec names none (SERVICE_IMAGE)",
    )
    run.add_argument(
        "--model-image",
        default=os.environ.get("MODEL_IMAGE"),
        help="image of the Jobs that prepare models whose spec names none (MODEL_IMAGE)",
    )
    run.add_argument(
        "--namespace",
        action="append",
        default=os.environ.get("WATCH_NAMESPACES", "").split(),
        help="watch only this namespace; may be repeated (WATCH_NAMESPACES, separated by blanks)",
    )
    run.add_argument(
        "--lease-namespace",
        default=os.environ.get("POD_NAMESPACE"),
        help="where the Lease lies by which replicas agree on a leader (POD_NAMESPACE; else the context's)",
    )
    run.add_argument(
        "--lease-name",
        default=os.environ.get("LEASE_NAME", "sentiment-operator"),
        help="name of that Lease; operators of different installations need different ones (LEASE_NAME)",
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
    for name in ("service", "model"):
        if not getattr(options, f"{name}_image"):
            message = f"give --{name}-image or set {name.upper()}_IMAGE"
            print(f"sentiment-operator: {message}", file=sys.stderr)
            return 1
    try:
        connection = find_connection()
    except (ConnectionConfigError, OSError) as error:
        print(f"sentiment-operator: {error}", file=sys.stderr)
        return 1
    set_up_logging(options.log_level)
    asyncio.run(_run(connection, options))
    return 0


async def _run(connection: Connection, options: argparse.Namespace) -> None:
    # A name of its own for each process: a restarted one must not take itself for its predecessor.
    identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    runtime = Runtime(
        connection,
        Options(
            service_image=options.service_image,
            model_image=options.model_image,
            identity=identity,
            namespaces=tuple(options.namespace),
            lease_namespace=options.lease_namespace or connection.namespace,
            lease_name=options.lease_name,
        ),
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    health = HealthServer(runtime)
    await health.start(options.port)
    runtime.start()
    await stopped.wait()
    await runtime.stop()
    await health.stop()


if __name__ == "__main__":
    sys.exit(main())
