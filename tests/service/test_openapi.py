"""The OpenAPI document: true of the real server, and complete."""

from __future__ import annotations

import json
import re
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.running import Running


@schemathesis.serializer("application/x-ndjson")
def _lines(_: Any, value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def test_answers_are_as_documented_whatever_is_sent(server: Running) -> None:
    """No 5xx, and no status, type or body that the document does not name."""
    document = schemathesis.openapi.from_url(f"{server.http.base_url}/openapi.json")
    seen = set()
    for result in document.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        seen.add(operation.path)
        cases = operation.as_strategy()
        if operation.method == "post":
            cases |= operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @settings(
            max_examples=10,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def check(case: Any) -> None:
            response = case.call(session=session)
            assert response.status_code < 500
            case.validate_response(
                response,
                checks=[content_type_conformance, response_schema_conformance, status_code_conformance],
            )

        with requests.Session() as session:
            check()
    assert seen == server.http.get("/openapi.json").json()["paths"].keys()


def test_every_error_is_documented_with_its_body(server: Running) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert "HTTPValidationError" not in str(answers), path
            if method != "post":
                continue
            inference = path.startswith("/v2")
            expected = {"401", "408", "429", "500", "503"}
            if (
                "application/json" in operation["requestBody"]["content"]
            ):  # a stream tells the rest in its lines
                expected |= {"400", "413", "415", "504", "404" if inference else "422"}
            assert expected <= answers.keys(), path
            for status in answers.keys() - {"200"}:
                [content] = answers[status]["content"].values()
                assert content["schema"]["$ref"].endswith("InferError" if inference else "ErrorResponse")


def test_keys_are_documented_where_they_count(server: Running) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    guarded = {path for path, methods in paths.items() for one in methods.values() if "security" in one}
    assert guarded == {path for path in paths if re.match(r"/api/|/v2(?!/health)", path)}
