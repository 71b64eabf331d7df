"""What an inference engine is. Implementations are chosen in `child.create` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Engine(Protocol):
    """Runs padded batches, in a process of its own."""

    parallel: int
    """How many calls of `infer` may go on at the same time, each from a thread of its own."""
    device: str
    """What it runs on, for people; known once it is loaded, as the next."""
    overhead: int
    """What a run costs beside its tokens, in tokens; 0: the runs will tell."""

    def load(self) -> None:
        """Make the engine ready to infer; raises `ModelLoadError` when it cannot."""

    def infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logits, shape [batch, 2], of token arrays of shape [batch, tokens]."""


class ModelLoadError(RuntimeError):
    """The model cannot be loaded; the message names the file and the reason."""
