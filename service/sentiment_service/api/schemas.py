"""Request and response bodies: the article's contract."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sentiment_service.engine.plan import MOST_ROWS


class _Request(BaseModel):
    model_config = ConfigDict(strict=True)


MODEL = "one of this server's models, as /api/v1/info lists them; without it the default one"
ModelName = Annotated[str | None, Field(description=MODEL)]


class AnalyzeRequest(_Request):
    text: str = Field(examples=["这款手机拍照效果真的很棒,电池续航也很给力!"])
    return_confidence: bool = True
    model: ModelName = None


class BatchRequest(_Request):
    # The first wrong item ends it: a million wrong ones would each leave an error of their own.
    texts: list[str] = Field(
        fail_fast=True, min_length=1, examples=[["服务态度很好,解决问题很快", "客服完全不理人,差评"]]
    )
    batch_size: int = Field(default=MOST_ROWS, ge=1, le=1024, description="most texts in one engine run")
    return_details: bool = Field(default=False, description="adds probabilities and truncated")
    model: ModelName = None


class Problem(BaseModel):
    code: str
    message: str


class Probabilities(BaseModel):
    positive: float
    negative: float


class Analysis(BaseModel):
    text: str
    sentiment: str = Field(examples=["积极", "消极", "中性"])
    confidence: float | None = Field(
        default=None,
        description="probability of the shown label; for 中性, that of the likelier class",
    )
    english_label: str = Field(examples=["Positive", "Negative", "Neutral"])
    analysis_time_ms: int
    truncated: bool | None = Field(default=None, description="true when the end of the text was not read")


class BatchItem(BaseModel):
    """One text's answer, or `error` when this text alone could not be answered."""

    text: str
    sentiment: str | None = None
    confidence: float | None = None
    english_label: str | None = None
    probabilities: Probabilities | None = None
    truncated: bool | None = None
    error: Problem | None = None


class AnalyzeResponse(BaseModel):
    success: bool = True
    data: Analysis
    request_id: str


class BatchResponse(BaseModel):
    success: bool = True
    data: list[BatchItem]
    request_id: str


class ErrorResponse(BaseModel):
    success: bool = False
    error: Problem
    request_id: str


class Health(BaseModel):
    status: str = Field(examples=["healthy", "unhealthy", "draining"])
    timestamp: str
    version: str
    model_loaded: bool
    memory_usage_mb: float
    total_requests: int
    avg_response_time_ms: float


_MEANINGS = {
    400: "not JSON, or not UTF-8",
    401: "no valid API key (only with API_KEYS_FILE)",
    404: "no such path, or no such model",
    405: "no such method here",
    408: "the body did not arrive in time",
    413: "the body is larger than MAX_BODY_BYTES",
    415: "not application/json, or compressed",
    422: "a field is wrong, or the text is blank, too long or no Unicode",
    429: "the queue is full; see Retry-After",
    500: "an unexpected error; the log has it under the request id",
    503: "the model cannot be loaded, or the service is stopping; see Retry-After",
    504: "no answer within REQUEST_TIMEOUT_SECONDS",
}


def error_responses(
    *statuses: int, model: type[BaseModel] = ErrorResponse
) -> dict[int | str, dict[str, Any]]:
    """What FastAPI documents for these statuses."""
    return {status: {"model": model, "description": _MEANINGS[status]} for status in statuses}
