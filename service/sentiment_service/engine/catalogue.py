"""The models of this service, by the names that requests choose them by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from sentiment_service.engine.checkpoint import CONFIG
from sentiment_service.engine.files import MANIFEST
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.engine.package import Manifest, ModelPackage
from sentiment_service.engine.protocol import ModelLoadError


class UnknownModelError(Exception):
    """There is no model of that name here; the message says which there are."""


class Catalogue:
    """Reads packages, whether they are loaded or not."""

    def __init__(self, packages: Mapping[str, Path]) -> None:
        """packages: by name, the default one first; one alone need not have a name."""
        self._packages = dict(packages)
        self.default = next(iter(self._packages))

    @property
    def names(self) -> list[str]:
        return list(self._packages)

    def directory(self, model: str) -> Path:
        return self._packages[model].resolve()

    def find(self, wanted: str | None) -> str:
        """The model that a request means. A model alone is also known by the name that its package says."""
        if wanted is None:
            return self.default
        if wanted in self._packages and wanted:
            return wanted
        names = [name for name in self._packages if name]
        if len(self._packages) == 1:
            names = [self.manifest(self.default).name]
            if wanted in names:
                return self.default
        there = ", ".join(map(repr, names))
        raise UnknownModelError(f"there is no model {wanted[:80]!r}; this server has {there}")

    def manifest(self, model: str) -> Manifest:
        """Raises `ModelUnavailableError` when there is no package."""
        directory = self.directory(model)
        try:
            plain = not (directory / MANIFEST).exists() and (directory / CONFIG).exists()
            status = (directory / (CONFIG if plain else MANIFEST)).stat()
            return _read(directory, status.st_mtime_ns, status.st_size)
        except OSError as error:
            raise ModelUnavailableError(f"no model package in {directory}: {error.strerror}") from error
        except ModelLoadError as error:
            raise ModelUnavailableError(str(error)) from error


@lru_cache(maxsize=32)
def _read(directory: Path, _changed: int, _size: int) -> Manifest:
    return ModelPackage.read(directory).manifest
