"""What each reason of a condition means and what to do: the tables of docs/troubleshooting.md."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGED = Path(__file__).with_name("troubleshooting.md")
_IN_REPOSITORY = Path(__file__).parents[3] / "docs" / "troubleshooting.md"
_NAMES = re.compile(r"`([A-Z]\w+)`(?:, |$)")


@dataclass(frozen=True)
class Reason:
    """One row of the page."""

    meaning: str
    remedy: str


@cache
def reasons() -> dict[str, Reason]:
    """By name."""
    page = _PACKAGED if _PACKAGED.exists() else _IN_REPOSITORY
    found: dict[str, Reason] = {}
    for line in page.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        names = _NAMES.findall(cells[0]) if len(cells) > 1 else []
        remedy = cells[2] if len(cells) > 2 else ""
        found.update({name: Reason(cells[1], remedy) for name in names})
    return found
