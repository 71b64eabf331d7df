"""The article's endpoints: one text, many texts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from fastapi import APIRouter, Request

from sentiment_service.api.errors import ApiError
from sentiment_service.api.jsonroute import JsonRoute
from sentiment_service.api.schemas import (
    Analysis,
    AnalyzeRequest,
    AnalyzeResponse,
    BatchItem,
    BatchRequest,
    BatchResponse,
    Probabilities,
    Problem,
    error_responses,
)
from sentiment_service.app import Service
from sentiment_service.engine.decide import Prediction
from sentiment_service.engine.tokenise import has_lone_surrogate, is_blank
from sentiment_service.logs import log_request

ANALYZE = "/api/v1/sentiment/analyze"
ANALYZE_BATCH = "/api/v1/sentiment/analyze/batch"
ENDPOINTS = frozenset({ANALYZE, ANALYZE_BATCH})

# A person waits for so few texts: they pass before the rows of files.
_INTERACTIVE_ITEMS = 100
_ERRORS = error_responses(400, 401, 404, 408, 413, 415, 422, 429, 500, 503, 504)


def problem_of(text: str, max_length: int) -> Problem | None:
    """Why this text cannot be analysed, if so."""
    if len(text) > max_length:
        return Problem(
            code="text_too_long",
            message=f"the text has {len(text)} characters, at most {max_length} (MAX_TEXT_LENGTH) are taken",
        )
    if has_lone_surrogate(text):
        return Problem(code="invalid_text", message="the text holds a lone surrogate, which is no character")
    if is_blank(text):
        return Problem(code="blank_text", message="the text is blank")
    return None


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["sentiment"], route_class=JsonRoute)
    settings = service.settings

    @routes.post(ANALYZE, responses=_ERRORS, response_model_exclude_none=True)
    async def analyze(body: AnalyzeRequest, request: Request) -> AnalyzeResponse:
        """Say whether one text is positive, negative or neutral."""
        begin = time.perf_counter()
        request.state.model = model = service.models.find(body.model)
        problem = problem_of(body.text, settings.max_text_length)
        if problem is not None:
            raise ApiError(422, problem.code, problem.message)
        [prediction] = await service.runtime.analyze([body.text], model=model, bulk=False)
        elapsed_ms = (time.perf_counter() - begin) * 1000
        log_request(
            request.state.request_id,
            body.text,
            sentiment=prediction.sentiment.chinese,
            confidence=round(prediction.confidence, 4),
            latency_ms=elapsed_ms,
            preview_chars=settings.log_preview_chars,
        )
        data = Analysis(
            text=body.text,
            sentiment=prediction.sentiment.chinese,
            confidence=round(prediction.confidence, 4) if body.return_confidence else None,
            english_label=prediction.sentiment.english,
            analysis_time_ms=round(elapsed_ms),
            truncated=prediction.truncated or None,
        )
        return AnalyzeResponse(data=data, request_id=request.state.request_id)

    @routes.post(ANALYZE_BATCH, responses=_ERRORS, response_model_exclude_none=True)
    async def analyze_batch(body: BatchRequest, request: Request) -> BatchResponse:
        """Analyse many texts; the answers keep their order, and a bad text fails alone."""
        begin = time.perf_counter()
        request.state.model = model = service.models.find(body.model)
        if len(body.texts) > settings.max_batch_items:
            raise ApiError(
                422,
                "too_many_items",
                f"{len(body.texts)} texts, at most {settings.max_batch_items} (MAX_BATCH_ITEMS) are taken",
            )
        problems = [problem_of(text, settings.max_text_length) for text in body.texts]
        good = [text for text, problem in zip(body.texts, problems, strict=True) if problem is None]
        predictions = iter(
            await service.runtime.analyze(
                good, model=model, bulk=len(good) > _INTERACTIVE_ITEMS, max_batch=body.batch_size
            )
            if good
            else []
        )
        items = [
            BatchItem(text=_echo(text), error=problem)
            if problem is not None
            else _item(text, next(predictions), body.return_details)
            for text, problem in zip(body.texts, problems, strict=True)
        ]
        log_batch(
            request,
            body.texts,
            [item.sentiment or "error" for item in items],
            seconds=time.perf_counter() - begin,
            preview_chars=settings.log_preview_chars,
        )
        return BatchResponse(data=items, request_id=request.state.request_id)

    return routes


def log_batch(
    request: Request, texts: Sequence[str], sentiments: Sequence[str], *, seconds: float, preview_chars: int
) -> None:
    """One line for many texts: the first one's length and preview, and how often each sentiment came."""
    log_request(
        request.state.request_id,
        texts[0],
        sentiment=None,
        confidence=None,
        latency_ms=seconds * 1000,
        preview_chars=preview_chars,
        items=len(texts),
        sentiments=Counter(sentiments),
    )


def _echo(text: str) -> str:
    """The text as an answer can hold it: what is no character becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _item(text: str, prediction: Prediction, details: bool) -> BatchItem:
    item = BatchItem(
        text=text,
        sentiment=prediction.sentiment.chinese,
        confidence=round(prediction.confidence, 4),
        english_label=prediction.sentiment.english,
        truncated=prediction.truncated or None,
    )
    if details:
        positive = round(prediction.positive, 4)
        item.probabilities = Probabilities(positive=positive, negative=round(1 - positive, 4))
        item.truncated = prediction.truncated
    return item
