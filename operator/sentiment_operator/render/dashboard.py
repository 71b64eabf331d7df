"""The Grafana dashboard, in a ConfigMap as Grafana's sidecar loads it.

Plain data: the generator library of Grafana costs each operator 11 MB of memory for the same few fields.
"""

import json
from typing import Any, NamedTuple

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata
from .prometheus import cpu, failures, latency, memory, series

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 8, 8
_COLUMNS = 24 // _WIDTH
Query = tuple[str, str]  # PromQL, legend


class Panel(NamedTuple):
    """What a panel shows, in a unit of Grafana's."""

    title: str
    description: str
    unit: str
    queries: list[Query]


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
            f"{owner.namespace}-{owner.name}.json": json.dumps(model(owner), indent=1, ensure_ascii=False)
        },
    }


def model(owner: Owner) -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    panels = [_drawn(index, panel) for index, panel in enumerate(_panels(owner))]
    choice = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": f"ssvc-{owner.uid}"[:40],
        "title": f"Sentiment / {owner.namespace} / {owner.name}",
        "tags": ["sentiment-operator"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [choice]},
        "annotations": {"list": []},
        "panels": panels,
    }


def _panels(owner: Owner) -> list[Panel]:
    """Left to right."""

    def rate(metric: str, by: str) -> str:
        return f"sum by ({by}) (rate({series(owner, metric)}[5m]))"

    def total(metric: str, by: str = "pod") -> str:
        return f"sum by ({by}) ({series(owner, metric)})"

    queued = series(owner, "structbert_queue_seconds_bucket")
    size = f"{rate('structbert_batch_size_sum', 'pod')} / {rate('structbert_batch_size_count', 'pod')}"
    return [
        Panel(
            "Requests by status",
            "API requests answered a second, by HTTP status; probes and pages do not count.",
            "reqps",
            [(rate("structbert_requests_total", "status"), "{{status}}")],
        ),
        Panel(
            "Requests by endpoint",
            "API requests answered a second, by endpoint.",
            "reqps",
            [(rate("structbert_requests_total", "endpoint"), "{{endpoint}}")],
        ),
        Panel(
            "Failed requests (429, 5xx)",
            "Share of the requests that ended in 429 or 5xx: what the error budget counts.",
            "percentunit",
            [(failures(owner), "failed")],
        ),
        Panel(
            "Latency",
            "From a request to its answer, without streams; exemplars lead to single requests.",
            "s",
            [(latency(owner, q), f"P{round(100 * q)}") for q in (0.5, 0.95, 0.99)],
        ),
        Panel(
            "Active requests",
            "API requests in progress in each pod; autoscalers can go by them.",
            "short",
            [(total("structbert_active_requests"), "{{pod}}")],
        ),
        Panel(
            "Waiting texts",
            "Texts that wait for the engine in each pod.",
            "short",
            [(total("structbert_queue_length"), "{{pod}}")],
        ),
        Panel(
            "Time in the queue (P95)",
            "95 of 100 texts wait no longer for the engine.",
            "s",
            [(f"histogram_quantile(0.95, sum by (le) (rate({queued}[5m])))", "P95")],
        ),
        Panel(
            "Texts in an engine run",
            "How many texts a run of the model answers on average.",
            "short",
            [(size, "{{pod}}")],
        ),
        Panel(
            "Pods that hold the model",
            "Pods with the model in memory: the first request loads it, and idleness unloads it.",
            "short",
            # One without a name has an empty label.
            [(total("structbert_model_loaded", "model"), "pods {{model}}")],
        ),
        Panel(
            "CPU", "Cores that each pod uses, as the kubelet measures it.", "short", [(cpu(owner), "{{pod}}")]
        ),
        Panel(
            "Memory",
            "Memory of each pod's processes, shared pages counted once (Pss).",
            "bytes",
            [(memory(owner), "{{pod}}")],
        ),
        Panel(
            "Pods scraped",
            "Pods whose metrics Prometheus gets.",
            "short",
            [(f"sum({series(owner, 'up')})", "pods")],
        ),
    ]


def _drawn(index: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(index, _COLUMNS)
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for number, (expression, legend) in enumerate(panel.queries)
        ],
    }
