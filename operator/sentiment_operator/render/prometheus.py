"""PromQL that alerts, dashboard and autoscaler share."""

from ..api.v1alpha1 import Owner

# Overloaded or broken; what the caller got wrong (other 4xx) is no failure of the service.
FAILED = 'status=~"429|5.."'


def series(owner: Owner, metric: str, *matchers: str) -> str:
    """The metric of this service's pods, whether scraped from the pods, the Service or the kubelet."""
    # A pod of a Deployment is NAME-HASH-HASH, so that one of NAME-OTHER never fits.
    pods = f'pod=~"{owner.name}-[0-9a-z]+-[0-9a-z]+"'
    chosen = ",".join((f'namespace="{owner.namespace}"', pods, *matchers))
    return f"{metric}{{{chosen}}}"


def failure_ratio(owner: Owner, window: str = "5m") -> str:
    """Failed requests as a share of all; no value while none failed."""
    failed = series(owner, "structbert_requests_total", FAILED)
    return (
        f"sum(rate({failed}[{window}])) / sum(rate({series(owner, 'structbert_requests_total')}[{window}]))"
    )


def latency(owner: Owner, quantile: float, window: str = "5m") -> str:
    """A quantile of the time of requests, in seconds."""
    buckets = series(owner, "structbert_request_latency_seconds_bucket")
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[{window}])))"


def cpu(owner: Owner, window: str = "5m") -> str:
    """Cores that each pod's server uses, as the kubelet measures them."""
    used = series(owner, "container_cpu_usage_seconds_total", 'container="server"')
    return f"sum by (pod) (rate({used}[{window}]))"


def memory(owner: Owner) -> str:
    """Bytes that the processes of each pod use."""
    return f"sum by (pod) ({series(owner, 'structbert_memory_usage_bytes')})"
