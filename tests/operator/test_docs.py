"""The documentation against the code."""

import ast
import re
from pathlib import Path

from .conftest import ROOT

RECONCILE = ROOT / "operator/sentiment_operator/reconcile"
PAGE = ROOT / "docs/troubleshooting.md"
# What the kubelet, controllers or gateways say themselves: passed on, so it is no literal.
KUBERNETES = "## Reasons that Kubernetes gives"


def literal_reasons(path: Path) -> set[str]:
    """First arguments of `Finding(…)`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Finding"]
    values = [node for call in named for node in ast.walk(call.args[0])]
    texts = {node.value for node in values if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch("[A-Z][A-Za-z]+", text)}


def test_every_reason_is_explained_and_no_other() -> None:
    in_code = set().union(*(literal_reasons(path) for path in RECONCILE.glob("*.py")))
    ours = PAGE.read_text().split(KUBERNETES)[0].split("## When all is well")[1]
    explained = re.findall(r"^\| `(\w+)` \|", ours, re.M)
    assert len(in_code) > 20
    assert sorted(explained) == sorted(in_code)
