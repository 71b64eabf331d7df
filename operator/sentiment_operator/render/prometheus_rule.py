"""The Prometheus operator's PrometheusRule: the six alerts."""

from decimal import Decimal
from typing import Any

from ..api.quantity import amount
from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata
from .prometheus import cpu, failure_ratio, latency, memory, series
from .surroundings import Surroundings


def prometheus_rule(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any] | None:
    """The PrometheusRule; None when it isn't asked for, or the cluster has no Prometheus operator."""
    wanted = spec.monitoring.prometheus_rule
    if wanted is None or "PrometheusRule" not in around.apis:
        return None
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(owner, owner.name, more_labels=wanted.labels),
        "spec": {"groups": groups(owner, spec)},
    }


def groups(owner: Owner, spec: SentimentServiceSpec) -> list[dict[str, Any]]:
    """Rule groups as Prometheus reads them; each is evaluated as often as its facts change."""
    wanted = spec.monitoring.prometheus_rule
    if wanted is None:
        return []
    limits = wanted.thresholds
    where = f"SentimentService {owner.namespace}/{owner.name}"

    def alert(name: str, severity: str, expression: str, lasting: str, summary: str) -> dict[str, Any]:
        return {
            "alert": f"SentimentService{name}",
            "expr": expression,
            "for": lasting,
            "labels": {
                "severity": severity,
                "namespace": owner.namespace,
                "sentimentservice": owner.name,
                **wanted.alert_labels,
            },
            "annotations": {"summary": f"{where}: {summary}"},
        }

    requests = series(owner, "structbert_requests_total")
    failing = (100 - Decimal(limits.success_rate_percent)) / 100
    kept = Decimal(100 - limits.traffic_drop_percent) / 100
    limit = spec.resources.limits.cpu or spec.resources.requests.cpu
    cores = _plain(amount(limit) * limits.cpu_percent / 100)
    prefix = f"sentiment-service.{owner.namespace}.{owner.name}"
    availability = [
        alert(
            "Unavailable",
            "critical",
            f"absent({series(owner, 'up')} == 1)",
            limits.unavailable_for,
            f"no pod could be scraped for {limits.unavailable_for}.",
        )
    ]
    load = [
        alert(
            "Slow",
            "warning",
            f"{latency(owner, 0.95)} > {_plain(Decimal(limits.p95_latency_milliseconds) / 1000)}",
            "5m",
            f"5 of 100 requests take longer than {limits.p95_latency_milliseconds} ms.",
        ),
        alert(
            "MemoryHigh",
            "warning",
            f"{memory(owner)} > {_plain(amount(limits.memory))}",
            "1m",
            f"pod {{{{ $labels.pod }}}} uses more than {limits.memory} of memory.",
        ),
        alert(
            "CPUHigh",
            "warning",
            f"{cpu(owner)} > {cores}",
            "5m",
            f"pod {{{{ $labels.pod }}}} uses more than {limits.cpu_percent} % of {limit} CPU.",
        ),
        alert(
            "Failing",
            "critical",
            f"{failure_ratio(owner)} > {_plain(failing)}",
            "5m",
            f"less than {limits.success_rate_percent} % of requests succeed.",
        ),
    ]
    traffic = [
        alert(
            "TrafficDropped",
            "warning",
            f"sum(increase({requests}[1d])) < {_plain(kept)} * sum(increase({requests}[1d] offset 1w))",
            "1h",
            f"requests of the last day are {limits.traffic_drop_percent} % below the day a week ago.",
        )
    ]
    return [
        {"name": f"{prefix}.availability", "interval": "30s", "rules": availability},
        {"name": f"{prefix}.load", "interval": "1m", "rules": load},
        {"name": f"{prefix}.traffic", "interval": "1h", "rules": traffic},
    ]


def _plain(number: Decimal) -> str:
    """Without an exponent."""
    return f"{number.normalize():f}"
