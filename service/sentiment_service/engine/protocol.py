"""What an inference engine is. Implementations are chosen in `runtime.load_model` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Engine(Protocol):
    """Runs one padded batch at a time. Every call comes from the same worker thread."""

    def load(self) -> None:
        """Make the engine ready to infer; raises `ModelLoadError` when it cannot."""

    def infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logits, shape [batch, 2], of token arrays of shape [batch, tokens]."""

    def close(self) -> None:
        """Give the memory back; the engine is not used again."""


class ModelLoadError(RuntimeError):
    """The model cannot be loaded; the message names the file and the reason."""
