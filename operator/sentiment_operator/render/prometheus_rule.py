"""The Prometheus operator's PrometheusRule: the six alerts, and the error budget with its burn."""

from decimal import Decimal
from typing import Any

from ..api.quantity import amount
from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.monitoring import PrometheusRule, Thresholds
from .metadata import metadata
from .prometheus import BURNS, Burn, cpu, failures, latency, memory, record, recorded, series
from .surroundings import Surroundings

# Fewer requests than this in the day to compare with say nothing about a fall.
_TELLING = 100
Rule = dict[str, Any]


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
    alerts = _Alerts(owner, wanted)
    limits = wanted.thresholds
    prefix = f"sentiment-service.{owner.namespace}.{owner.name}"
    return [
        {"name": f"{prefix}.availability", "interval": "30s", "rules": [_unavailable(alerts, limits, spec)]},
        {"name": f"{prefix}.load", "interval": "1m", "rules": _load(alerts, limits, spec)},
        {"name": f"{prefix}.traffic", "interval": "5m", "rules": [_traffic(alerts, limits)]},
        {
            "name": f"{prefix}.objective",
            "interval": "1m",
            "rules": [*_records(owner), *_burns(alerts, Decimal(wanted.objective_percent))],
        },
    ]


class _Alerts:
    """Alerts of one service; each says whose it is, and which page helps."""

    def __init__(self, owner: Owner, wanted: PrometheusRule) -> None:
        self.owner = owner
        self._more_labels = wanted.alert_labels

    def make(self, name: str, severity: str, expression: str, lasting: str, summary: str) -> Rule:
        """One alert; `name` without the prefix that all have."""
        where = f"SentimentService {self.owner.namespace}/{self.owner.name}"
        labels = {
            "severity": severity,
            "namespace": self.owner.namespace,
            "sentimentservice": self.owner.name,
            **self._more_labels,
        }
        return {
            "alert": f"SentimentService{name}",
            "expr": expression,
            "for": lasting,
            "labels": labels,
            "annotations": {
                "summary": f"{where}: {summary}",
                "description": f"kubectl -n {self.owner.namespace} describe ssvc {self.owner.name}; "
                f"steps: docs/runbooks.md#sentimentservice{name.lower()}",
            },
        }


def _unavailable(alerts: _Alerts, limits: Thresholds, spec: SentimentServiceSpec) -> Rule:
    # `absent`, so that it also fires when there is no pod, or none can be scraped.
    condition = f"absent({series(alerts.owner, 'structbert_healthy')} == 1)"
    if query := spec.autoscaling.activation_query:
        # No pod is as it should be while nobody asks.
        condition += f" and on () (sum({query}) > 0 or count({series(alerts.owner, 'up')}))"
    return alerts.make(
        "Unavailable",
        "critical",
        condition,
        limits.unavailable_for,
        f"no pod's /health has answered 200 for {limits.unavailable_for}.",
    )


def _load(alerts: _Alerts, limits: Thresholds, spec: SentimentServiceSpec) -> list[Rule]:
    owner = alerts.owner
    limit = spec.pod_resources.limits.cpu or spec.pod_resources.requests.cpu
    cores = _plain(amount(limit) * limits.cpu_percent / 100)
    failing = _plain((100 - Decimal(limits.success_rate_percent)) / 100)
    return [
        alerts.make(
            "Slow",
            "warning",
            f"{latency(owner, 0.95)} > {_plain(Decimal(limits.p95_latency_milliseconds) / 1000)}",
            "5m",
            f"5 of 100 requests take longer than {limits.p95_latency_milliseconds} ms.",
        ),
        alerts.make(
            "MemoryHigh",
            "warning",
            f"{memory(owner)} > {_plain(amount(limits.memory))}",
            "1m",
            f"pod {{{{ $labels.pod }}}} uses more than {limits.memory} of memory.",
        ),
        alerts.make(
            "CPUHigh",
            "warning",
            f"{cpu(owner)} > {cores}",
            "5m",
            f"pod {{{{ $labels.pod }}}} uses more than {limits.cpu_percent} % of {limit} CPU.",
        ),
        alerts.make(
            "Failing",
            "critical",
            f"{recorded(owner, '5m')} > {failing}",
            "5m",
            f"less than {limits.success_rate_percent} % of requests succeed.",
        ),
    ]


def _traffic(alerts: _Alerts, limits: Thresholds) -> Rule:
    """The last day against the same day a week ago, or the day before while there is no week of data."""
    requests = series(alerts.owner, "structbert_requests_total")

    def day(ago: str, known: str) -> str:
        """Requests of the day that ended `ago`; no value when its beginning was not scraped."""
        return (
            f"(sum(increase({requests}[1d] offset {ago})) > {_TELLING} "
            f"and count(present_over_time({requests}[1h] offset {known})))"
        )

    kept = _plain(Decimal(100 - limits.traffic_drop_percent) / 100)
    # Without any request left there is no series any more: then the day counts as 0.
    today = f"(sum(increase({requests}[1d])) or vector(0))"
    # A Prometheus that restarts takes up again what lasted 10 minutes or more, from facts of the last hour.
    return alerts.make(
        "TrafficDropped",
        "warning",
        f"{today} < {kept} * ({day('7d', '8d')} or {day('1d', '2d')})",
        "10m",
        f"requests of the last day are {limits.traffic_drop_percent} % below the same day before.",
    )


def _records(owner: Owner) -> list[Rule]:
    """The share of failed requests over each window, computed once for alerts and dashboards."""
    return [
        {
            "record": record(window),
            "expr": failures(owner, window),
            "labels": {"namespace": owner.namespace, "sentimentservice": owner.name},
        }
        for window in dict.fromkeys(("5m", *(window for burn in BURNS for window in burn.windows)))
    ]


def _burns(alerts: _Alerts, objective: Decimal) -> list[Rule]:
    """Multi-window, multi-burn-rate: Google, "The Site Reliability Workbook", chapter 5, table 5-8.

    The long window says that it matters, the short one that it still goes on.
    """
    budget = (100 - objective) / 100

    def condition(burn: Burn) -> str:
        limit = _plain(budget * burn.rate)
        return (
            "(" + " and ".join(f"{recorded(alerts.owner, window)} > {limit}" for window in burn.windows) + ")"
        )

    return [
        alerts.make(
            "BudgetBurning",
            severity,
            " or ".join(condition(burn) for burn in BURNS if burn.severity == severity),
            lasting,
            f"failed requests use up the budget of {_plain(100 - objective)} % within {left}.",
        )
        for severity, lasting, left in (("critical", "2m", "days"), ("warning", "15m", "the month"))
    ]


def _plain(number: Decimal) -> str:
    """Without an exponent."""
    return f"{number.normalize():f}"
