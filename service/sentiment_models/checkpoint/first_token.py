"""The last layer for the first token alone: no head of BERT's family looks at the others. Imports torch.

The other tokens still give that layer their keys and values, so the logits stay what they are. Of twelve
layers it spares seven hundredths of the work, of four a fifth.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]


class FirstTokenLayer(nn.Module):  # type: ignore[misc, unused-ignore]
    """A layer of transformers' BERT, [batch, tokens, hidden] → [batch, 1, hidden]."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
    ) -> Tensor:
        """The mask is what transformers makes of it: [batch, 1, tokens or 1, tokens], or none."""
        attention = self.layer.attention
        first = hidden_states[:, :1]

        def heads(x: Tensor) -> Tensor:
            width: int = attention.self.attention_head_size
            return x.reshape(x.shape[0], x.shape[1], -1, width).transpose(1, 2)

        context = functional.scaled_dot_product_attention(
            heads(attention.self.query(first)),
            heads(attention.self.key(hidden_states)),
            heads(attention.self.value(hidden_states)),
            attn_mask=None if attention_mask is None else attention_mask[:, :, :1],
        )
        attended = attention.output(context.transpose(1, 2).flatten(2), first)
        found: Tensor = self.layer.output(self.layer.intermediate(attended), attended)
        return found


def narrow(model: Any) -> None:
    """Change a classifier of transformers in place, where its layers are BERT's."""
    layers = getattr(getattr(model.base_model, "encoder", None), "layer", None)
    if isinstance(layers, nn.ModuleList) and hasattr(layers[-1], "intermediate"):
        layers[-1] = FirstTokenLayer(layers[-1])
