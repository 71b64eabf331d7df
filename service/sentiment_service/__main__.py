"""`sentiment-service`: serve, install-model, healthcheck."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["serve"]:
        # Its flags come from the settings, so they are parsed there; --help lists them.
        return _serve(arguments[1:])
    parser = argparse.ArgumentParser(prog="sentiment-service", description="Chinese sentiment analysis")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests; `serve --help` lists the settings")
    installer = commands.add_parser("install-model", help="copy the bundled model package to a volume")
    installer.add_argument("--to", type=Path, required=True, metavar="DIR", help="the volume")
    installer.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write name and digest here as JSON (the pod's status shows it)",
    )
    commands.add_parser("healthcheck", help="exit 0 when the service on this machine answers")
    options = parser.parse_args(arguments)
    if options.command == "install-model":
        return _install(options.to, options.report)
    return _healthcheck()


def _serve(flags: list[str]) -> int:
    from pydantic import ValidationError
    from pydantic_settings import CliApp

    from sentiment_service.settings import Settings, explain

    try:
        settings = CliApp.run(Settings, cli_args=flags)
    except ValidationError as error:
        for line in explain(error):
            print(f"sentiment-service: {line}", file=sys.stderr)
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
