"""The text side of a model package: its tokeniser and how its logits are read."""

from __future__ import annotations

from pathlib import Path

from sentiment_service.engine.decide import Prediction, decide
from sentiment_service.engine.frames import Logits
from sentiment_service.engine.package import Manifest, ModelPackage
from sentiment_service.engine.tokenise import Encoded, Tokeniser


class Model:
    def __init__(self, directory: Path, manifest: Manifest, tokeniser: Tokeniser) -> None:
        self.directory = directory
        self.manifest = manifest
        self._tokeniser = tokeniser

    @classmethod
    def read(cls, directory: Path) -> Model:
        """Raises `ModelLoadError` when the directory holds no package."""
        package = ModelPackage.read(directory)
        tokeniser = Tokeniser(package.path("tokenizer.json"), package.manifest.max_tokens)
        return cls(directory, package.manifest, tokeniser)

    def encode(self, texts: list[str]) -> list[Encoded]:
        return self._tokeniser.encode(texts)

    def decide(self, logits: Logits, encoded: Encoded) -> Prediction:
        return decide(logits, encoded.truncated, self.manifest)
