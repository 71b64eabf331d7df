"""The commands `prepare`, `inspect` and `verify` of `sentiment-models`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentiment_models import faults
from sentiment_models.sources import archive, fetch, spec, storage
from sentiment_models.sources.credentials import NAMES, Credentials

NAMED = ("prepare", "inspect", "verify")


def add(commands: Any) -> None:
    """Add the three to an argparse sub-parsers object."""
    make = commands.add_parser(
        "prepare",
        help="fetch, convert, quantise and judge a checkpoint, and write its package",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    make.add_argument("source", metavar="SOURCE", help="bundled, DIRECTORY, http(s)://…/ARCHIVE, "
                      "s3://BUCKET/PREFIX, "
                      "hf://OWNER/NAME[@REVISION] or modelscope://OWNER/NAME[@REVISION]")  # fmt: skip
    make.add_argument(
        "out", metavar="OUT", type=Path, help="the package's directory; replaced when it is there"
    )
    where = make.add_argument_group("source")
    where.add_argument("--revision", metavar="REV", help="branch, tag or commit of a hub's repository")
    where.add_argument("--sha256", metavar="HEX", help="of the downloaded archive")
    where.add_argument("--endpoint", metavar="URL", help="a mirror of the hub, or the S3 server")
    where.add_argument("--offline", action="store_true", help="take it from the hub library's own cache")
    where.add_argument("--credentials", metavar="DIR", type=Path,
                       help=f"files named {', '.join(NAMES)}; the environment counts too")  # fmt: skip
    where.add_argument("--max-unpacked-bytes", metavar="N", type=int, default=archive.MAX_BYTES,
                       help="the most that an archive may unpack to")  # fmt: skip
    gate = make.add_argument_group("precision and gate")
    gate.add_argument("--precision", choices=("auto", "int8", "bf16", "fp32"), default="auto",
                      help="auto measures here and takes the fastest that passes; the others go on to "
                      "the next gentler one when refused")  # fmt: skip
    gate.add_argument("--engine", choices=("openvino", "torch"), default="openvino",
                      help="of the service; for torch the package holds the checkpoint, for which the "
                      "device decides the precision")  # fmt: skip
    gate.add_argument("--prune", metavar="PERCENT", type=_percent,
                      help="also try with about so many of the feed-forward neurons removed")  # fmt: skip
    gate.add_argument("--distil", metavar="CSV",
                      help="with --prune: let the pruned model learn from the whole one on these "
                      "texts: path or URL of a CSV with a column text, or bundled")  # fmt: skip
    gate.add_argument(
        "--max-accuracy-drop", metavar="POINTS", type=float, default=0.5, help="percentage points"
    )
    gate.add_argument("--max-calibration-rise", metavar="POINTS", type=float, default=1.0,
                      help="of the expected calibration error, percentage points")  # fmt: skip
    gate.add_argument("--evaluation", metavar="CSV", default="bundled",
                      help="path or URL of a CSV with text,label; or bundled reviews")  # fmt: skip
    gate.add_argument("--max-texts", metavar="N", type=int, default=1000,
                      help="the most that are used for each of fitting and judging")  # fmt: skip
    gate.add_argument("--labels", metavar="NEGATIVE,POSITIVE", type=_labels,
                      help="the checkpoint's names of the classes, when they are not known")  # fmt: skip
    rest = make.add_argument_group("output")
    rest.add_argument("--name", help="of the package; else the source's last part")
    rest.add_argument("--work", metavar="DIR", type=Path,
                      help="for downloads and half-made files, which a later start goes on with; "
                      "else a hidden directory beside OUT")  # fmt: skip
    rest.add_argument("--report", metavar="FILE", type=Path,
                      help="keep phase, percent, reason, message and remedy here, as JSON")  # fmt: skip
    rest.add_argument("--progress-port", metavar="PORT", type=int,
                      help="serve phase and percent there, as GET /progress")  # fmt: skip
    rest.add_argument("--once", action="store_true",
                      help="a whole package at OUT is the result, whatever it was made from; wait for others "
                      "that write beside it")  # fmt: skip
    rest.add_argument("--sweep", action="store_true",
                      help="first remove the packages beside OUT, and what half-made ones left")  # fmt: skip
    rest.add_argument("--keep", metavar="NAME", action="append", default=[],
                      help="but for the package of that name; may be repeated")  # fmt: skip
    rest.add_argument("--quiet", action="store_true", help="no progress bars")
    rest.add_argument(
        "--dry-run", action="store_true", help="ask the source, say what would be done, fetch nothing"
    )
    show = commands.add_parser("inspect", help="say what a package or a checkpoint is")
    show.add_argument("folder", metavar="DIRECTORY", type=Path)
    show.add_argument("--labels", metavar="NEGATIVE,POSITIVE", type=_labels)
    check = commands.add_parser("verify", help="check a package's digests and let it answer once")
    check.add_argument("folder", metavar="PACKAGE", type=Path)


def run(options: argparse.Namespace) -> int:
    """One of the commands: 0, or a status after `sentiment-models: REASON: cause. remedy` on standard error.

    1: it will not pass by itself; 75 (EX_TEMPFAIL): it may, try again; 143: ended by SIGTERM.
    """
    credentials, status = Credentials({}), 1
    if options.command == "prepare" and (wrong := _contradiction(options)):
        print(f"sentiment-models: {wrong}", file=sys.stderr)
        return 2
    try:
        if options.command == "inspect":
            from sentiment_models.inspection import inspect

            return _print(inspect(options.folder, options.labels))
        if options.command == "verify":
            from sentiment_models.inspection import verify

            return _print(verify(options.folder))
        return _prepare(options, credentials := Credentials.read(options.credentials))
    except faults.Fault as fault:
        status = os.EX_TEMPFAIL if fault.transient else 1
        text = f"{fault.reason}: {fault}"
    except OSError as error:
        fault_or_none = storage.of_os_error(error)
        text = (
            f"{fault_or_none.reason}: {fault_or_none}" if fault_or_none else _unexpected(error, credentials)
        )
    except Exception as error:
        text = _unexpected(error, credentials)
    print(f"sentiment-models: {credentials.redact(text)}", file=sys.stderr)
    return status


def _contradiction(options: argparse.Namespace) -> str:
    """Options that can't be had together; empty when there are none."""
    if options.distil and not options.prune:
        return "--distil needs --prune"
    if options.engine == "torch" and (options.precision != "auto" or options.prune):
        return "--engine torch takes the whole checkpoint: leave out --precision and --prune"
    return ""


def _unexpected(error: Exception, credentials: Credentials) -> str:
    """Print how it came to it, which Python would do without redaction; the line that every fault gets."""
    print(credentials.redact("".join(traceback.format_exception(error))), end="", file=sys.stderr)
    fault = faults.Fault(f"{type(error).__name__}: {error}")
    return f"{fault.reason}: {fault}"


@contextmanager
def _libraries_silent() -> Iterator[None]:
    """The hub libraries log requests; what they say goes through nobody's redaction."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """The first process of a container ignores signals that it has no handler for."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare(options: argparse.Namespace, credentials: Credentials) -> int:
    from sentiment_models.announce import announce
    from sentiment_models.progress import Progress

    with (
        _libraries_silent(),
        Progress(options.report, credentials, options.quiet or options.dry_run) as progress,
        announce(options.progress_port, lambda: progress.state),
        _ended_by_sigterm(),
    ):
        try:
            source = spec.parse(
                options.source, options.revision, options.sha256, options.endpoint, options.offline
            )
            if options.dry_run:
                return _dry_run(options, source, credentials)
            from sentiment_models.judge import Bars
            from sentiment_models.prepare import Pruning, Wish, prepare

            bars = Bars(options.max_accuracy_drop / 100, options.max_calibration_rise / 100)
            wish = Wish(
                source, options.out, options.name, options.precision, options.engine, options.labels,
                Pruning(options.prune, options.distil) if options.prune else None, options.evaluation,
                bars, options.max_texts, options.work, options.max_unpacked_bytes, once=options.once,
                keep=tuple(options.keep) if options.sweep else None,
            )  # fmt: skip
            made = prepare(wish, credentials, progress)
        except faults.Fault as fault:
            progress.failed(fault)
            raise
        except ModuleNotFoundError as error:
            missing = faults.TorchMissing(f"there is no {error.name} here")
            progress.failed(missing)
            raise missing from error
        except Exception as error:
            progress.failed(faults.Fault(f"{type(error).__name__}: {error}"))
            raise
    return _print(
        {
            key: made.get(key)
            for key in ("name", "revision", "precision", "quantisation", "accuracy", "digest")
        }
    )


def _dry_run(options: argparse.Namespace, source: spec.Source, credentials: Credentials) -> int:
    from sentiment_models.quantise import order

    found = fetch.look(source, credentials)
    return _print({
        "source": source.shown, "revision": found.revision, "bytes": found.bytes, "files": list(found.files),
        "precisions": [one.shown for one in order(options.precision, options.prune or 0, options.engine)],
        "evaluation": options.evaluation,
        "out": str(options.out),
    })  # fmt: skip


def _print(found: dict[str, Any]) -> int:
    print(json.dumps(found, ensure_ascii=False, indent=2))
    return 0


def _percent(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 90:
        raise argparse.ArgumentTypeError("must be a whole number, 1 to 90")
    return int(text)


def _labels(text: str) -> tuple[str, str]:
    negative, comma, positive = text.partition(",")
    if not comma or not negative or not positive:
        raise argparse.ArgumentTypeError("must be NEGATIVE,POSITIVE")
    return negative, positive
