"""The product's version: pyproject.toml says it, and every other file that has to name it is stamped.

`python -m e2e.version` stamps; `make version TO=…` changes it.
"""

import re
import tomllib
from pathlib import Path

from .cluster.paths import REPO

VERSION: str = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"]
# File → what stands before the version in it, each time.
_STAMPED = {
    "charts/sentiment-operator/Chart.yaml": r"^(?:version|appVersion): ",
    "client/python/pyproject.toml": r'^version = "',
    "client/typescript/package.json": r'^  "version": "',
    "client/typescript/package-lock.json": r'(?<="name": "sentiment-types",\n)\s+"version": "',
    "service/sentiment_service/__init__.py": r'^__version__ = "',
}
_NUMBER = r"\d+\.\d+\.\d+"


def generated(version: str = VERSION) -> dict[Path, str]:
    """Every file that names the version, with `version` in it: path → text."""
    return {REPO / name: _stamp(REPO / name, before, version) for name, before in _STAMPED.items()}


def _stamp(path: Path, before: str, version: str) -> str:
    text, count = re.subn(rf"({before}){_NUMBER}", rf"\g<1>{version}", path.read_text(), flags=re.M)
    if not count:
        raise ValueError(f"{path} names no version")
    return text


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
        print(path.relative_to(REPO))
