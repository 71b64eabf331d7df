"""Alerts that fire for a service, from the Prometheus of the prometheus-operator, where there is one."""

from collections.abc import Iterator
from typing import Any

from .kube import Api, Target

# The service that the prometheus-operator makes for each of its Prometheus.
_SERVICE, _PORT = "prometheus-operated", 9090


def firing(api: Api, target: Target) -> list[str] | None:
    """One line for each; None when no Prometheus was found, or this user may not ask it."""
    found = api.find("/api/v1/services", fieldSelector=f"metadata.name={_SERVICE}")
    answers = [_ask(api, item["metadata"]["namespace"]) for item in (found or {}).get("items", ())]
    known = [answer for answer in answers if answer is not None]
    return [line for answer in known for line in about(answer, target)] if known else None


def _ask(api: Api, namespace: str) -> dict[str, Any] | None:
    return api.find(f"/api/v1/namespaces/{namespace}/services/{_SERVICE}:{_PORT}/proxy/api/v1/alerts")


def about(answer: dict[str, Any], target: Target) -> Iterator[str]:
    """Of Prometheus' /api/v1/alerts, those that fire for this service."""
    for alert in answer["data"]["alerts"]:
        labels = alert["labels"]
        mine = (labels.get("namespace"), labels.get("sentimentservice")) == (target.namespace, target.name)
        if alert["state"] == "firing" and mine:
            head = f"{labels.get('severity', '')} {labels['alertname']} since {alert['activeAt'][:19]}"
            yield f"{head}: {alert.get('annotations', {}).get('summary', '')}"
