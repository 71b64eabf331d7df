"""The chart's dashboard: all SentimentServices that a Prometheus sees, and the operator.

`python -m e2e.dashboards.fleet` writes it.
"""

import json
from pathlib import Path
from typing import Any

from sentiment_operator.api.v1alpha1.monitoring import PrometheusRule
from sentiment_operator.cluster.reflector import SILENCE_SECONDS
from sentiment_operator.render.dashboard import failure_steps, latency_steps
from sentiment_operator.render.grafana import (
    Panel,
    Query,
    Row,
    coloured,
    dashboard_model,
    fixed,
    graph,
    measured,
    named,
    stat,
    table,
)
from sentiment_operator.render.prometheus import FAILED

from ..provider import CHART

FILE = CHART / "files" / "dashboard.json"
_EVERY = "structbert_requests_total"
_FAILING = "structbert_requests_total{" + FAILED + "}"
# The replica that waits to lead has a queue too, and works on none of it.
_WAITING = "sentiment_operator_queue_depth * sentiment_operator_leader"
# The thresholds that a service's alerts have when its spec names no others.
_RULE = PrometheusRule()  # type: ignore[call-arg]
_FAILURES, _LATENCY = failure_steps(_RULE), latency_steps(_RULE)
_GRAPH_HEIGHT, _TABLE_HEIGHT, _STAT_HEIGHT = 9, 7, 4


def model() -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    return dashboard_model(
        "sentiment-operator",
        "Sentiment operator",
        "now-6h",
        [
            Row("", _STAT_HEIGHT, _first()),
            Row("Services", _TABLE_HEIGHT, [_services()]),
            Row("", _GRAPH_HEIGHT, _compared()),
            Row("Operator", _GRAPH_HEIGHT, _objects()),
            Row("", _GRAPH_HEIGHT, _passes()),
            Row("", _GRAPH_HEIGHT, _process()),
        ],
    )


def _per_service(query: str, more: str = "") -> str:
    """The sum of each service's pods: a pod of a Deployment is NAME-HASH-HASH."""
    labelled = f'label_replace({query}, "sentimentservice", "$1", "pod", "(.+)-[0-9a-z]+-[0-9a-z]+")'
    return f"sum by (namespace, sentimentservice{more}) ({labelled})"


def requests_per_service() -> str:
    """PromQL: API requests a second, by namespace and SentimentService."""
    return _per_service(f"rate({_EVERY}[5m])")


def _failures() -> str:
    failed, every = _per_service(f"rate({_FAILING}[5m])"), requests_per_service()
    return f"({failed} or 0 * {every}) / ({every} > 0)"


def _p95() -> str:
    buckets = _per_service("rate(structbert_request_latency_seconds_bucket[5m])", ", le")
    return measured(f"histogram_quantile(0.95, {buckets})")


def _first() -> list[Panel]:
    ready = 'sentiment_operator_objects{condition="Ready",status!="True"}'
    return [
        stat(
            "Firing alerts",
            "Alerts of any service that fire; the runbook of each says what to do.",
            "none",
            'count(ALERTS{alertstate="firing",alertname=~"SentimentService.+"}) or vector(0)',
            ((None, "green"), (1, "red")),
        ),
        stat(
            "Not ready",
            "SentimentServices and SentimentModels whose condition Ready is False or Unknown.",
            "none",
            f"sum(max by (kind, status) ({ready})) or vector(0)",
            ((None, "green"), (1, "red")),
        ),
        stat(
            "Requests",
            "API requests answered a second by all services.",
            "reqps",
            f"sum(rate({_EVERY}[5m]))",
        ),
        stat(
            "Failed requests",
            "Share of all services' requests that ended in 429 or 5xx.",
            "percentunit",
            f"(sum(rate({_FAILING}[5m])) or vector(0)) / (sum(rate({_EVERY}[5m])) > 0)",
            _FAILURES,
        ),
        stat(
            "Leaders",
            "Replicas of the operator that act: one does, and the others wait.",
            "none",
            "sum(sentiment_operator_leader) or vector(0)",
            ((None, "red"), (1, "green"), (2, "red")),
        ),
        stat(
            "Waiting keys",
            "Objects that changed and wait for a pass of the operator.",
            "short",
            f"sum({_WAITING})",
        ),
    ]


def _services() -> Panel:
    healthy = _per_service("structbert_healthy")
    waiting = _per_service("structbert_queue_length")
    return table(
        "Services",
        "Every service that is scraped, those that fail most first; colours go by the thresholds that alerts "
        "have where a service names no others.",
        [
            Query(healthy, "healthy"),
            Query(requests_per_service(), "requests"),
            Query(_failures(), "failures"),
            Query(_p95(), "p95"),
            Query(waiting, "waiting"),
        ],
        columns=[
            ("namespace", "Namespace"),
            ("sentimentservice", "Service"),
            ("healthy", "Healthy pods"),
            ("requests", "Requests"),
            ("failures", "Failed"),
            ("p95", "Latency (P95)"),
            ("waiting", "Waiting texts"),
        ],
        sort=("Failed", True),
        overrides=[
            named("Healthy pods", unit="none", decimals=0, **coloured(((None, "red"), (1, "green")))),
            named("Requests", unit="reqps"),
            named("Failed", unit="percentunit", decimals=2, noValue="–", **coloured(_FAILURES)),
            named("Latency (P95)", unit="s", noValue="–", **coloured(_LATENCY)),
            named("Waiting texts", unit="none", decimals=0),
        ],
    )


def _compared() -> list[Panel]:
    legend = "{{namespace}}/{{sentimentservice}}"
    return [
        graph(
            "Requests by service",
            "API requests answered a second by the ten services with the most.",
            "reqps",
            [Query(f"topk(10, {requests_per_service()})", legend)],
        ),
        graph(
            "Failed requests by service (429, 5xx)",
            "Share of the requests of the ten services that fail most.",
            "percentunit",
            [Query(f"topk(10, {_failures()})", legend)],
            room=0.01,
        ),
        graph(
            "Latency by service (P95)",
            "95 of 100 requests take no longer, of the ten slowest services.",
            "s",
            [Query(f"topk(10, {_p95()})", legend)],
        ),
    ]


def _objects() -> list[Panel]:
    objects = "max by (kind, condition, status) (sentiment_operator_objects)"

    def ready(kind: str, matcher: str) -> str:
        chosen = f'kind="{kind}",condition="Ready",status{matcher}"True"'
        # A count of 0 has no series.
        return f"sum(max by (status) (sentiment_operator_objects{{{chosen}}})) or vector(0)"

    return [
        graph(
            "Services and models by readiness",
            "SentimentServices and SentimentModels by their condition Ready.",
            "short",
            [
                Query(ready("SentimentService", "="), "services"),
                Query(ready("SentimentService", "!="), "services, not ready"),
                Query(ready("SentimentModel", "="), "models"),
                Query(ready("SentimentModel", "!="), "models, not ready"),
            ],
            decimals=0,
            room=1,
            overrides=[
                named("services", color=fixed("green")),
                named("services, not ready", color=fixed("red")),
                named("models", color=fixed("blue")),
                named("models, not ready", color=fixed("orange")),
            ],
        ),
        table(
            "Conditions",
            "How many SentimentServices and SentimentModels have each of their conditions now.",
            [Query(objects, "objects")],
            columns=[
                ("kind", "Kind"),
                ("condition", "Condition"),
                ("status", "Status"),
                ("objects", "Objects"),
            ],
            sort=("Kind", False),
            overrides=[
                named("Status", custom__width=100),
                named("Objects", unit="none", decimals=0, custom__width=100),
            ],
        ),
        graph(
            "Leader",
            "1 for the replica that acts, 0 for the one that waits.",
            "short",
            [Query("sentiment_operator_leader", "{{pod}}")],
            decimals=0,
            room=1,
        ),
    ]


def _passes() -> list[Panel]:
    seconds = "sentiment_operator_pass_duration_seconds"
    quantile = measured(f"histogram_quantile(0.99, sum by (le) (rate({seconds}_bucket[5m])))")
    return [
        graph(
            "Passes by result",
            "Passes a second; each brings one object to what its spec says.",
            "ops",
            [Query(f"sum by (result) (rate({seconds}_count[5m]))", "{{result}}")],
            stacked=True,
            overrides=[named("success", color=fixed("green")), named("error", color=fixed("red"))],
        ),
        graph(
            "Duration of a pass (P99)",
            "99 of 100 passes take no longer.",
            "s",
            [Query(quantile, "P99")],
        ),
        graph(
            "Keys that wait for a pass",
            "Objects that changed and wait for their turn, where the leader is.",
            "short",
            [Query(_WAITING, "{{pod}}")],
            decimals=0,
            room=1,
        ),
    ]


def _process() -> list[Panel]:
    return [
        graph(
            "Calls to the API server",
            "Calls a second, by verb and by the answer's status.",
            "reqps",
            [
                Query(
                    "sum by (verb, code) (rate(sentiment_operator_api_calls_total[5m]))", "{{verb}} {{code}}"
                )
            ],
            stacked=True,
        ),
        graph(
            "Silence on watches",
            "The longest time since any watch of a replica said something: bookmarks come about every "
            "minute, and at the line a watch is begun again.",
            "suffix:s",
            [Query("max by (pod) (sentiment_operator_watch_age_seconds)", "{{pod}}")],
            limit=SILENCE_SECONDS,
            room=SILENCE_SECONDS,
        ),
        graph(
            "Memory of the operator",
            "Resident memory of each replica.",
            "bytes",
            [Query('process_resident_memory_bytes{job=~".*sentiment-operator.*"}', "{{pod}}")],
        ),
    ]


def generated() -> dict[Path, str]:
    """The chart's file: path → text."""
    return {FILE: json.dumps(model(), indent=1, ensure_ascii=False) + "\n"}


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
        print(path.name)
