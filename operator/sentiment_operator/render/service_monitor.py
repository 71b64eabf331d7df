"""The Prometheus operator's ServiceMonitor."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata, selector
from .surroundings import Surroundings


def service_monitor(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any] | None:
    """The ServiceMonitor; None when it isn't asked for, or the cluster has no Prometheus operator."""
    wanted = spec.monitoring.service_monitor
    if wanted is None or "ServiceMonitor" not in around.apis:
        return None
    endpoint = {
        "port": "http",
        "path": "/metrics",
        "interval": wanted.interval,
        "scrapeTimeout": wanted.scrape_timeout,
        # The metrics' label `endpoint` is the API's; without this it would be the port's name.
        "honorLabels": True,
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(owner, owner.name, more_labels=wanted.labels),
        "spec": {"selector": {"matchLabels": selector(owner)}, "endpoints": [endpoint]},
    }
