"""The blocks of commands and examples in a page, as a reader sees them."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# These get the cluster and end it.
CLUSTER = ("make demo", "export ", "CONTEXT=")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, from top to bottom."""
    return [Block(*found) for found in _FENCE.findall(page.read_text())]


def script(page: Path, *, with_cluster: bool = False) -> str:
    """A page's commands but those that need something of the reader's own, and those that get a cluster."""
    left_out = ("CONTEXT=",) if with_cluster else CLUSTER
    return "".join(
        one.text for one in blocks(page) if one.language == "sh" and not one.text.startswith(left_out)
    )
