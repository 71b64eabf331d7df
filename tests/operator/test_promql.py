"""Alerts, dashboard and autoscaler ask Prometheus what it understands, about metrics that there are."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from sentiment_operator.api.v1alpha1 import Owner, SentimentServiceSpec
from sentiment_operator.render import render
from sentiment_operator.render.prometheus import series

from .conftest import ROOT
from .objects import OWNER
from .specs import CASES, FULL, RICH

METRICS = ROOT / "service/sentiment_service/metrics.py"
# What Prometheus itself, the kubelet and an ingress controller measure.
OTHERS = {"up", "ALERTS", "container_cpu_usage_seconds_total", "traefik_router_requests_total"}
RECORDED = "sentimentservice:"


def expressions(spec: dict[str, Any]) -> Iterator[str]:
    for child in render(OWNER, SentimentServiceSpec.model_validate(spec), RICH).apply:
        match child["kind"]:
            case "PrometheusRule":
                yield from (rule["expr"] for group in child["spec"]["groups"] for rule in group["rules"])
            case "ConfigMap":
                [text] = child["data"].values()
                yield from (
                    t["expr"] for panel in json.loads(text)["panels"] for t in panel.get("targets", ())
                )
            case "ScaledObject":
                yield from (
                    t["metadata"]["query"] for t in child["spec"]["triggers"] if "query" in t["metadata"]
                )


@pytest.mark.parametrize("name", ["full", "autoscaled", "keda", "to-zero"])
def test_every_expression_is_promql_about_metrics_of_the_service(name: str) -> None:
    asked = list(expressions(CASES[name][0]))
    assert asked
    served = set(re.findall(r'"(structbert_\w+)"', METRICS.read_text()))
    for expression in asked:
        promql_parser.parse(expression)
        for metric in re.findall(r"([a-z_:0-9]+)\{", expression):
            known = metric in OTHERS or metric.startswith(RECORDED)
            assert known or re.sub("_(total|bucket|sum|count)$", "", metric) in served


def test_alerts_say_whose_they_are() -> None:
    made = render(OWNER, SentimentServiceSpec.model_validate(FULL), RICH).apply
    [groups] = [child["spec"]["groups"] for child in made if child["kind"] == "PrometheusRule"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len({rule["alert"] for rule in rules}) == 7
    for rule in rules:
        assert rule["labels"]["team"] == "nlp"
        assert "shop/reviews" in rule["annotations"]["summary"]


@pytest.mark.parametrize(
    ("pod", "ours"),
    [
        ("reviews-7d9f4b5c6-x2x9k", True),
        ("reviews-v2-7d9f4b5c6-x2x9k", False),
        ("old-reviews-7d9f4b5c6-x2x9k", False),
    ],
)
def test_the_metrics_of_a_namesake_are_not_ours(pod: str, ours: bool) -> None:
    owner = Owner(name="reviews", namespace="shop", uid="u")
    [pattern] = re.findall('pod=~"([^"]+)"', series(owner, "up"))
    assert bool(re.fullmatch(pattern, pod)) == ours
