"""Reads and verifies a model package: a directory with a `model.json` and the files it lists.

A checkpoint without a `model.json` is taken for what its own files say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from sentiment_service.engine import checkpoint
from sentiment_service.engine.files import MANIFEST, Expected, verify
from sentiment_service.engine.protocol import ModelLoadError

_IR = ("model.xml", "model.bin")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$")]


class FileEntry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    sha256: Sha256
    bytes: int = Field(ge=0)


class NeutralBand(BaseModel):
    """Positive-class probabilities in [low, high) are shown as neutral; low = high switches it off."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> NeutralBand:
        if self.low > self.high:
            raise ValueError("neutral.low is above neutral.high")
        return self


class Manifest(BaseModel):
    """The part of `model.json` that serving needs; other fields are for people and tools."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: FileName
    version: str
    labels: tuple[str, str]
    max_tokens: int = Field(ge=3)
    precision: str = ""
    inference_precision: str = ""
    temperature: float = Field(default=1.0, gt=0)
    bias: float = 0.0
    threshold: float = Field(default=0.5, gt=0, lt=1)
    neutral: NeutralBand
    accuracy: dict[str, Any] = {}
    files: dict[FileName, FileEntry]
    digest: Digest

    @property
    def hint(self) -> str:
        """What the engine computes in: `f32`, or empty and `bf16` for what the CPU is quickest with."""
        return self.inference_precision or ("f32" if self.precision == "fp32" else "")

    @property
    def short_digest(self) -> str:
        return self.digest.removeprefix("sha256:")[:12]


class ModelPackage:
    """A manifest together with the directory it was read from."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest

    @classmethod
    def read(cls, directory: Path) -> ModelPackage:
        path = directory / MANIFEST
        plain = not path.exists() and (directory / checkpoint.CONFIG).is_file()
        try:
            if plain:
                return cls(directory, Manifest.model_validate(checkpoint.manifest(directory)))
            manifest = Manifest.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ModelLoadError(f"no model package in {directory}: {error.strerror or error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "document"
            raise ModelLoadError(f"{path}: {where}: {first['msg']}") from error
        needed = () if checkpoint.CONFIG in manifest.files else _IR
        missing = [name for name in (*needed, "tokenizer.json") if name not in manifest.files]
        if missing:
            raise ModelLoadError(f"{path} does not list {', '.join(missing)}")
        return cls(directory, manifest)

    def expected(self) -> dict[str, Expected]:
        """Every listed file's SHA-256 and size."""
        return {
            name: {"sha256": entry.sha256, "bytes": entry.bytes}
            for name, entry in self.manifest.files.items()
        }

    def verify(self) -> None:
        """Compare every listed file's size and SHA-256 with the manifest."""
        verify(self.directory, self.expected())

    def path(self, name: str) -> Path:
        return self.directory / name
