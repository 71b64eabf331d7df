"""What a runbook tells to run, so that it can be tried while its alert fires. Pure."""

import re
from typing import NamedTuple


class Steps(NamedTuple):
    """Command lines of kubectl, and queries for Prometheus."""

    commands: list[str]
    queries: list[str]


def steps(page: str, alert: str, namespace: str, name: str) -> Steps:
    """Those of docs/runbooks.md for an alert, and those for any alert; for a service that has a name."""
    first, *sections = re.split(r"^## (?=SentimentService)", page, flags=re.M)
    [section] = [one for one in sections if one.startswith(f"{alert}\n")]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", first + section)]
    named = [re.sub(r"\bNAME\b", name, re.sub(r"\bNS\b", namespace, span)) for span in spans]
    return Steps(
        [span for span in named if span.startswith("kubectl ")],
        [span for span in named if "{" in span],
    )
