"""Where the benchmarks keep what they make."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser()
    / "sentiment-operator"
    / "bench"
)
BUNDLED = ROOT / "service/sentiment_service/bundled"
