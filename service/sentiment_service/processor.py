"""What this machine computes with: the processor's name and the vectors that matter here."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import NamedTuple

# The quickest first; without any all is several times slower.
_VECTORS = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2")


class Processor(NamedTuple):
    """`vectors` is None where the kernel doesn't tell; arm64's have other names, and all are good enough."""

    name: str
    vectors: tuple[str, ...] | None

    @property
    def int8(self) -> bool:
        """Whether int8 is quicker on it. With AVX2 alone OpenVINO computes in fp32 or takes as long."""
        return self.vectors != ("avx2",)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.vectors)})" if self.vectors else self.name


def processor(root: Path = Path("/")) -> Processor:
    """From /proc/cpuinfo; without it what Python knows."""
    try:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name", platform.processor() or platform.machine())
    if (flags := facts.get("flags")) is None:
        return Processor(name, None)
    return Processor(name, tuple(vector for vector in _VECTORS if vector in flags.split()))
