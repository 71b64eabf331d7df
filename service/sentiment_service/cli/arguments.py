"""The flags of `analyze`. Imports nothing heavy: every command comes through here."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMATS = ("table", "csv", "jsonl", "xlsx")
EPILOG = """examples:
  sentiment-service analyze reviews.csv -o answers.xlsx
  sentiment-service analyze reviews.csv --column 评论 -o answers.csv
  sort -u texts.txt | sentiment-service analyze - --format jsonl

Encoding (UTF-8, GB18030, UTF-16), delimiter, header and the column of texts are found as on the web page.
With -o an interrupted run goes on where it stopped when it is started again. A text without an answer
(blank, longer than MAX_TEXT_LENGTH) says why in the column error. The settings of `serve` count as variables:
MODEL_DIR and MODEL_NAME for another model, INFERENCE_THREADS, MAX_TEXT_LENGTH."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own."""
    parser.add_argument("file", metavar="FILE", help="text, CSV or JSON Lines; `-`: standard input")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="write here, not to standard output")
    parser.add_argument("--format", choices=FORMATS, help="default: what OUT's name ends in, else a table")
    parser.add_argument(
        "--column", metavar="NAME", help="column of the texts: its name, or its number from 1"
    )
