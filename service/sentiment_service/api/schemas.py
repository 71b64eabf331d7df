"""Request and response bodies: the article's contract."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sentiment_service.engine.tokenise import has_lone_surrogate


def _no_lone_surrogate(text: str) -> str:
    if has_lone_surrogate(text):
        raise ValueError("holds a lone surrogate, which is no Unicode text")
    return text


Text = Annotated[str, AfterValidator(_no_lone_surrogate)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True)


class AnalyzeRequest(_Request):
    text: Text = Field(examples=["这款手机拍照效果真的很棒,电池续航也很给力!"])
    return_confidence: bool = True


class BatchRequest(_Request):
    texts: list[Text] = Field(min_length=1, examples=[["服务态度很好,解决问题很快", "客服完全不理人,差评"]])
    batch_size: int = Field(default=32, ge=1, le=1024, description="most texts in one engine run")
    return_details: bool = Field(default=False, description="adds probabilities and truncated")


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


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorResponse} for status in statuses}
