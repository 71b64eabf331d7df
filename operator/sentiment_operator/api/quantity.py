"""Kubernetes quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."""

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
_UNITS = {
    **{"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12"},
    **{"P": "1e15", "E": "1e18"},
    **{f"{letter}i": str(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}


def amount(text: str | int | float) -> Decimal:
    """The number that a quantity stands for; ValueError for anything else."""
    match = _FORM.fullmatch(str(text))
    if not match or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is no Kubernetes quantity like 250m or 1Gi")
    return Decimal(match[1]) * Decimal(_UNITS[match[2]])
