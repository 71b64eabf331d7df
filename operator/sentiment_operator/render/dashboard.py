"""The Grafana dashboard, in a ConfigMap as Grafana's sidecar loads it.

Plain data: the generator library of Grafana costs each operator 11 MB of memory for the same few fields.
"""

import json
from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata
from .prometheus import cpu, failures, latency, memory, series

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 8, 8
_COLUMNS = 24 // _WIDTH
Query = tuple[str, str]  # PromQL, legend


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
    panels = [_panel(index, *panel) for index, panel in enumerate(_panels(owner))]
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
        "panels": panels,
    }


def _panels(owner: Owner) -> list[tuple[str, str, list[Query]]]:
    """(title, Grafana unit, queries) of each panel, left to right."""

    def rate(metric: str, by: str) -> str:
        return f"sum by ({by}) (rate({series(owner, metric)}[5m]))"

    def total(metric: str, by: str = "pod") -> str:
        return f"sum by ({by}) ({series(owner, metric)})"

    queued = series(owner, "structbert_queue_seconds_bucket")
    size = f"{rate('structbert_batch_size_sum', 'pod')} / {rate('structbert_batch_size_count', 'pod')}"
    return [
        ("Requests by status", "reqps", [(rate("structbert_requests_total", "status"), "{{status}}")]),
        ("Requests by endpoint", "reqps", [(rate("structbert_requests_total", "endpoint"), "{{endpoint}}")]),
        ("Failed requests (429, 5xx)", "percentunit", [(failures(owner), "failed")]),
        ("Latency", "s", [(latency(owner, q), f"P{round(100 * q)}") for q in (0.5, 0.95, 0.99)]),
        ("Active requests", "short", [(total("structbert_active_requests"), "{{pod}}")]),
        ("Waiting texts", "short", [(total("structbert_queue_length"), "{{pod}}")]),
        (
            "Time in the queue (P95)",
            "s",
            [(f"histogram_quantile(0.95, sum by (le) (rate({queued}[5m])))", "P95")],
        ),
        ("Texts in an engine run", "short", [(size, "{{pod}}")]),
        # One without a name has an empty label.
        (
            "Pods that hold the model",
            "short",
            [(total("structbert_model_loaded", "model"), "pods {{model}}")],
        ),
        ("CPU", "short", [(cpu(owner), "{{pod}}")]),
        ("Memory", "bytes", [(memory(owner), "{{pod}}")]),
        ("Pods scraped", "short", [(f"sum({series(owner, 'up')})", "pods")]),
    ]


def _panel(index: int, title: str, unit: str, queries: list[Query]) -> dict[str, Any]:
    row, column = divmod(index, _COLUMNS)
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for number, (expression, legend) in enumerate(queries)
        ],
    }
