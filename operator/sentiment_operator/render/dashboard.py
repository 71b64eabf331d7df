"""The Grafana dashboard of a service, in a ConfigMap as Grafana's sidecar loads it."""

import json
from decimal import Decimal
from typing import Any

from ..api.quantity import amount
from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.monitoring import PrometheusRule
from .grafana import (
    Panel,
    Query,
    Row,
    Steps,
    dashboard_model,
    fixed,
    graph,
    matching,
    measured,
    named,
    shades,
    stat,
)
from .metadata import metadata
from .prometheus import cpu, failures, latency, memory, series

# 429 after 4xx: the last that matches wins.
STATUS_COLOURS = (
    matching("^2", color=shades("green")),
    matching("^4", color=shades("yellow")),
    matching("^429$", color=fixed("orange")),
    matching("^5", color=shades("red")),
)
QUANTILE_COLOURS = tuple(
    named(f"P{percent}", color=fixed(colour))
    for percent, colour in ((50, "light-blue"), (95, "blue"), (99, "purple"))
)
_GRAPH_HEIGHT, _STAT_HEIGHT = 9, 4


def dashboard(owner: Owner, spec: SentimentServiceSpec) -> dict[str, Any] | None:
    """The ConfigMap; None when it isn't asked for."""
    wanted = spec.monitoring.dashboard
    if wanted is None:
        return None
    name = f"{owner.name}-dashboard"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, name, more_labels=wanted.labels, annotations=wanted.annotations),
        "data": {
            # The sidecar puts the files of all namespaces into one folder.
            f"{owner.namespace}-{owner.name}.json": json.dumps(
                model(owner, spec), indent=1, ensure_ascii=False
            )
        },
    }


def model(owner: Owner, spec: SentimentServiceSpec) -> dict[str, Any]:
    """The dashboard as Grafana's JSON model: what to look at first, then why it is so."""
    rule = spec.monitoring.prometheus_rule or PrometheusRule()  # type: ignore[call-arg]
    return dashboard_model(
        f"ssvc-{owner.uid}"[:40],
        f"Sentiment / {owner.namespace} / {owner.name}",
        "now-3h",
        [
            Row("", _STAT_HEIGHT, _first(owner, rule)),
            Row("Requests", _GRAPH_HEIGHT, _requests(owner, rule)),
            Row("Time", _GRAPH_HEIGHT, _time(owner, rule)),
            Row("Load", _GRAPH_HEIGHT, _load(owner)),
            Row("Pods", _GRAPH_HEIGHT, _pods(owner, rule, spec)),
        ],
    )


def _rate(owner: Owner, metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({series(owner, metric)}[5m]))"


def _total(owner: Owner, metric: str, by: str = "pod") -> str:
    return f"sum by ({by}) ({series(owner, metric)})"


def _failing(rule: PrometheusRule) -> float:
    return float((100 - Decimal(rule.thresholds.success_rate_percent)) / 100)


def _slow(rule: PrometheusRule) -> float:
    return rule.thresholds.p95_latency_milliseconds / 1000


def failure_steps(rule: PrometheusRule) -> Steps:
    """Of a share of requests: orange uses up the error budget, red is an alert's."""
    budget = float((100 - Decimal(rule.objective_percent)) / 100)
    return ((None, "green"), (budget, "orange"), (_failing(rule), "red"))


def latency_steps(rule: PrometheusRule) -> Steps:
    """Of P95 in seconds: red is an alert's."""
    return ((None, "green"), (_slow(rule), "red"))


def _first(owner: Owner, rule: PrometheusRule) -> list[Panel]:
    whose = f'namespace="{owner.namespace}",sentimentservice="{owner.name}"'
    return [
        stat(
            "Firing alerts",
            "Alerts of this service that fire; the runbook of each says what to do.",
            "none",
            f'count(ALERTS{{alertstate="firing",{whose}}}) or vector(0)',
            ((None, "green"), (1, "red")),
        ),
        stat(
            "Healthy pods",
            "Pods whose /health answers 200.",
            "none",
            f"sum({series(owner, 'structbert_healthy')}) or vector(0)",
            ((None, "red"), (1, "green")),
        ),
        stat(
            "Requests",
            "API requests answered a second; probes and pages do not count.",
            "reqps",
            f"sum(rate({series(owner, 'structbert_requests_total')}[5m]))",
        ),
        stat(
            "Failed requests",
            "Share of requests that ended in 429 or 5xx; orange uses up the error budget, red is an alert's.",
            "percentunit",
            failures(owner),
            failure_steps(rule),
        ),
        stat(
            "Latency (P95)",
            "95 of 100 requests take no longer; red is an alert.",
            "s",
            measured(latency(owner, 0.95)),
            latency_steps(rule),
        ),
        stat(
            "Waiting texts",
            "Texts that wait for the engine, in all pods.",
            "short",
            f"sum({series(owner, 'structbert_queue_length')})",
        ),
    ]


def _requests(owner: Owner, rule: PrometheusRule) -> list[Panel]:
    failing = _failing(rule)
    return [
        graph(
            "Requests by status",
            "API requests answered a second, by HTTP status; probes and pages do not count.",
            "reqps",
            [Query(_rate(owner, "structbert_requests_total", "status"), "{{status}}")],
            stacked=True,
            overrides=STATUS_COLOURS,
        ),
        graph(
            "Requests by endpoint",
            "API requests answered a second, by endpoint.",
            "reqps",
            [Query(_rate(owner, "structbert_requests_total", "endpoint"), "{{endpoint}}")],
        ),
        graph(
            "Failed requests (429, 5xx)",
            "Share of the requests that ended in 429 or 5xx; SentimentServiceFailing fires above the line.",
            "percentunit",
            [Query(failures(owner), "failed")],
            limit=failing,
            room=1.2 * failing,
            overrides=[named("failed", color=fixed("red"))],
        ),
    ]


def _time(owner: Owner, rule: PrometheusRule) -> list[Panel]:
    def p95(metric: str) -> str:
        return measured(f"histogram_quantile(0.95, sum by (le) (rate({series(owner, metric)}[5m])))")

    size = " / ".join(_rate(owner, f"structbert_batch_size_{part}", "pod") for part in ("sum", "count"))
    return [
        graph(
            "Latency",
            "From a request to its answer, without streams; exemplars lead to single requests. "
            "SentimentServiceSlow fires when P95 is above the line.",
            "s",
            [Query(measured(latency(owner, q)), f"P{round(100 * q)}") for q in (0.5, 0.95, 0.99)],
            limit=_slow(rule),
            overrides=QUANTILE_COLOURS,
        ),
        graph(
            "Time in the queue and the engine (P95)",
            "95 of 100 texts wait no longer for the engine; 95 of 100 runs of the model take no longer.",
            "s",
            [
                Query(p95("structbert_queue_seconds_bucket"), "queue"),
                Query(p95("structbert_engine_seconds_bucket"), "engine"),
            ],
        ),
        graph(
            "Texts in an engine run",
            "How many texts a run of the model answers on average.",
            "short",
            [Query(measured(size), "{{pod}}")],
        ),
    ]


def _load(owner: Owner) -> list[Panel]:
    def events(metric: str) -> str:
        return f"sum(increase({series(owner, metric)}[5m]))"

    return [
        graph(
            "Active requests",
            "API requests in progress in each pod; autoscalers can go by them.",
            "short",
            [Query(_total(owner, "structbert_active_requests"), "{{pod}}")],
            decimals=0,
            room=1,
        ),
        graph(
            "Waiting texts",
            "Texts that wait for the engine in each pod.",
            "short",
            [Query(_total(owner, "structbert_queue_length"), "{{pod}}")],
            decimals=0,
            room=1,
        ),
        graph(
            "Model loads and failures in 5 minutes",
            "How often a model was loaded, could not be, was unloaded, and how often its engine broke.",
            "short",
            [
                Query(events("structbert_model_loads_total"), "loads"),
                Query(events("structbert_model_unloads_total"), "unloads"),
                Query(events("structbert_model_load_failures_total"), "failed loads"),
                Query(events("structbert_engine_failures_total"), "engine failures"),
            ],
            decimals=0,
            room=1,
            overrides=[
                named("loads", color=fixed("green")),
                named("unloads", color=fixed("blue")),
                named("failed loads", color=fixed("orange")),
                named("engine failures", color=fixed("red")),
            ],
        ),
    ]


def _pods(owner: Owner, rule: PrometheusRule, spec: SentimentServiceSpec) -> list[Panel]:
    limits = rule.thresholds
    limit = spec.pod_resources.limits.cpu or spec.pod_resources.requests.cpu
    cores = float(amount(limit) * limits.cpu_percent / 100)
    bytes_ = float(amount(limits.memory))
    return [
        graph(
            "Pods",
            "Pods that are scraped, that are healthy, and that hold a model in memory: the first request "
            "loads it, and idleness unloads it.",
            "short",
            [
                Query(f"sum({series(owner, 'up')})", "scraped"),
                Query(f"sum({series(owner, 'structbert_healthy')})", "healthy"),
                # One without a name has an empty label.
                Query(_total(owner, "structbert_model_loaded", "model"), "hold the model {{model}}"),
            ],
            decimals=0,
            room=1,
        ),
        graph(
            "CPU",
            "Cores that each pod uses, as the kubelet says; SentimentServiceCPUHigh fires above the line.",
            "suffix:cores",
            [Query(cpu(owner), "{{pod}}")],
            limit=cores,
            room=cores,
            decimals=2,
        ),
        graph(
            "Memory",
            "Memory of each pod's processes, shared pages counted once (Pss); SentimentServiceMemoryHigh "
            "fires above the line.",
            "bytes",
            [Query(memory(owner), "{{pod}}")],
            limit=bytes_,
            room=bytes_,
        ),
    ]
