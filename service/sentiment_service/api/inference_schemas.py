"""Bodies of the Open Inference Protocol (v2, REST): names and shapes are the specification's."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sentiment_service.engine.tokenise import has_lone_surrogate

TEXT = "text"
# Output name → (datatype, shape of one batch without its first dimension).
OUTPUTS: dict[str, tuple[str, list[int]]] = {
    "label": ("BYTES", []),
    "english_label": ("BYTES", []),
    "score": ("FP32", []),
    "probabilities": ("FP32", [2]),
    "truncated": ("BOOL", []),
}
# With this any rank that somebody may want is possible, and no product of a million dimensions.
_MAX_RANK = 8

Dimension = Annotated[int, Field(ge=0, lt=1 << 64)]
Parameters = dict[str, Any]


def _text(value: str) -> str:
    if has_lone_surrogate(value):  # it could not be sent back
        raise ValueError("holds a lone surrogate, which is no character")
    return value


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, protected_namespaces=())


class RequestInput(_Body):
    name: str = Field(examples=[TEXT])
    shape: list[Dimension] = Field(
        fail_fast=True, min_length=1, max_length=_MAX_RANK, description="[n] or [n, 1]", examples=[[2]]
    )
    datatype: str = Field(examples=["BYTES"])
    parameters: Parameters | None = None
    data: list[Any] = Field(
        description="the texts, flat or nested by rows", examples=[["服务态度很好", "客服完全不理人"]]
    )


class RequestOutput(_Body):
    name: str = Field(examples=["label"])
    parameters: Parameters | None = None


class InferRequest(_Body):
    id: Annotated[str, AfterValidator(_text)] | None = Field(
        default=None, description="comes back in the answer", examples=["42"]
    )
    parameters: Parameters | None = None
    inputs: list[RequestInput] = Field(fail_fast=True, min_length=1, max_length=16)
    outputs: list[RequestOutput] = Field(
        default=[],
        fail_fast=True,
        max_length=16,
        description="the outputs to return, in this order; absent or empty: all",
    )


class ResponseOutput(_Body):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferResponse(_Body):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class InferError(_Body):
    error: str


class ServerMetadata(_Body):
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(_Body):
    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(_Body):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerLive(_Body):
    live: bool


class ServerReady(_Body):
    """The specification writes `live`; the servers write `ready`."""

    live: bool
    ready: bool


class ModelReady(_Body):
    name: str
    ready: bool
