"""`kubectl_complete-sentiment`: kubectl runs it for each press of the tab key behind `kubectl sentiment`.

It prints proposals, one a line, and last the directive of cobra's completion for the shell.
"""

import re
import sys
from collections.abc import Iterable
from itertools import pairwise

from ..api.v1alpha1 import GROUP, MODEL_PLURAL, PLURAL
from .kube import Kube, KubeError
from .main import parsers

_NO_FILES, _FILES = 4, 0
_WITH_MODELS = frozenset({"status", "explain", "logs"})


def main(given: list[str] | None = None) -> int:
    """The last argument is the word under the cursor, perhaps empty."""
    *before, word = (sys.argv[1:] if given is None else given) or [""]
    proposals, directive = _propose(before, word)
    for one in proposals:
        if one.startswith(word):
            print(one)
    print(f":{directive}")
    return 0


def _propose(before: list[str], word: str) -> tuple[Iterable[str], int]:
    _, commands = parsers()
    if not before:
        return sorted(commands), _NO_FILES
    command, *rest = before
    if command not in commands:
        return (), _NO_FILES
    if word.startswith("-"):
        return sorted(set(re.findall(r"--[a-z-]+", commands[command].format_help()))), _NO_FILES
    if rest[-1:] in (["-n"], ["--namespace"]):
        return _names("namespaces", "", []), _NO_FILES
    if command == "render":
        return (), _FILES
    chosen = _flags(rest)
    if len(rest) > len(chosen):  # it has its name
        return (), _NO_FILES
    found = _names(f"{PLURAL}.{GROUP}", "", chosen)
    if command in _WITH_MODELS:
        found += _names(f"{MODEL_PLURAL}.{GROUP}", "smodel/", chosen)
    return found, _NO_FILES


def _flags(words: list[str]) -> list[str]:
    """Those that choose cluster and namespace, with their values."""
    found: list[str] = []
    for flag, value in pairwise([*words, ""]):
        if flag in ("-n", "--namespace", "--context", "--kubeconfig"):
            found += [flag, value]
        elif flag.startswith(("--namespace=", "--context=", "--kubeconfig=")):
            found.append(flag)
    return found


def _names(plural: str, prefix: str, chosen: list[str]) -> list[str]:
    try:
        found = Kube().run("get", plural, *chosen, "-o", "jsonpath={.items[*].metadata.name}")
    except KubeError:  # a tab key is no place for complaints
        return []
    return [f"{prefix}{name}" for name in found.split()]
