"""`sentiment-service`: serve, analyze, doctor, bench, install, install-model, healthcheck."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_service.cli import arguments
from sentiment_service.machine import arguments as machine

if TYPE_CHECKING:
    from sentiment_service.settings import Settings

_ABOUT = """Chinese sentiment analysis on this machine.

  sentiment-service doctor                         does this machine have what it needs?
  sentiment-service analyze reviews.csv -o out.xlsx
  sentiment-service serve                          API and web page on http://localhost:7860
  sentiment-service install systemd                three of them, for good, behind nginx"""


def main(given: list[str] | None = None) -> int:
    """Run one command; a library that is not installed is named with what brings it.

    128 + SIGPIPE when whoever read the output, such as `head`, has had enough.
    """
    try:
        code = _run(sys.argv[1:] if given is None else given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # What is left is written nowhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sentiment_"):
            raise
        remedy = "pip install 'sentiment-operator[cli]'"
        print(f"sentiment-service: {error.name} is missing: {remedy}", file=sys.stderr)
        return 1


def _run(given: list[str]) -> int:
    if given[:1] == ["serve"]:
        # Its flags come from the settings, so they are parsed there; --help lists them.
        return _serve(given[1:])
    options = _parser().parse_args(given)
    match options.command:
        case "analyze":
            return _analyze(options)
        case "doctor":
            return _doctor()
        case "bench":
            from sentiment_service.cli.bench import run

            return run(options.seconds)
        case "install":
            from sentiment_service.machine.install import run as install

            return install(options)
        case "install-model":
            return _install(options.to, options.report)
    return _healthcheck()


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="sentiment-service", description=_ABOUT, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="answer requests; `serve --help` lists the settings")
    about = "judge the texts of a file"
    analyze = commands.add_parser(
        "analyze",
        help=about,
        description=about.capitalize() + ".",
        epilog=arguments.EPILOG,
        formatter_class=plain,
    )
    arguments.add_arguments(analyze)
    takes = " Takes the settings of `serve` as environment variables."
    about = "say what this machine has, what is wrong and what to do about it; exit 1 when something is"
    commands.add_parser("doctor", help=about, description=f"{about.capitalize()}.{takes}")
    about = "measure throughput and latency of a server of its own on this machine"
    bench = commands.add_parser("bench", help=about, description=f"{about.capitalize()}.{takes}")
    bench.add_argument("--seconds", type=float, default=5, help="of each of three loads (default: 5)")
    about = "run it for good on this machine: systemd or supervisor, nginx in front"
    machine.add_arguments(
        commands.add_parser(
            "install",
            help=about,
            description=f"{about.capitalize()}.",
            epilog=machine.EPILOG,
            formatter_class=plain,
        )
    )
    installer = commands.add_parser("install-model", help="copy the bundled model package to a volume")
    installer.add_argument("--to", type=Path, required=True, metavar="DIR", help="the volume")
    installer.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write name and digest here as JSON (the pod's status shows it)",
    )
    commands.add_parser("healthcheck", help="exit 0 when the service on this machine answers")
    return parser


def _serve(flags: list[str]) -> int:
    settings = _settings(flags)
    if settings is None:
        return 2
    if settings.api_keys_file:
        from sentiment_service.api.keys import KeyRing, KeysFileError

        try:
            KeyRing(settings.api_keys_file)
        except KeysFileError as error:
            print(f"sentiment-service: {error}", file=sys.stderr)
            return 2
    from sentiment_service.server import serve

    return serve(settings)


def _settings(flags: list[str]) -> Settings | None:
    """Of the environment and these flags; None after telling what is wrong."""
    from pydantic import ValidationError
    from pydantic_settings import CliApp

    from sentiment_service.settings import Settings, explain

    try:
        return CliApp.run(Settings, cli_args=flags)
    except ValidationError as error:
        for line in explain(error):
            print(f"sentiment-service: {line}", file=sys.stderr)
        return None


def _analyze(options: argparse.Namespace) -> int:
    settings = _settings([])
    if settings is None:
        return 2
    from sentiment_service.cli.analyze import run

    return run(options, settings)


def _doctor() -> int:
    settings = _settings([])
    if settings is None:
        return 1
    from sentiment_service.cli.doctor import run

    return run(settings)


def _install(to: Path, report: Path | None) -> int:
    import json

    from sentiment_service.engine.files import MANIFEST
    from sentiment_service.engine.protocol import ModelLoadError
    from sentiment_service.install import install
    from sentiment_service.settings import BUNDLED_MODEL

    try:
        installed = install(BUNDLED_MODEL, to)
        print(installed)
        if report:
            manifest = json.loads((installed / MANIFEST).read_text("utf-8"))
            report.write_text(json.dumps({"name": manifest["name"], "digest": manifest["digest"]}), "utf-8")
    except (ModelLoadError, OSError) as error:
        print(f"sentiment-service: cannot install the model: {error}", file=sys.stderr)
        return 1
    return 0


def _healthcheck() -> int:
    from sentiment_service.healthcheck import check

    problem = check()
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
