"""PromQL that alerts, dashboard and autoscaler share."""

from dataclasses import dataclass
from decimal import Decimal

from ..api.v1alpha1 import Owner

# Overloaded or broken; what the caller got wrong (other 4xx) is no failure of the service.
FAILED = 'status=~"429|5.."'


@dataclass(frozen=True)
class Burn:
    """The budget is used `rate` times as fast as it may, over the long and the short window."""

    severity: str
    rate: Decimal
    windows: tuple[str, str]


BURNS = (
    Burn("critical", Decimal("14.4"), ("1h", "5m")),
    Burn("critical", Decimal(6), ("6h", "30m")),
    Burn("warning", Decimal(3), ("1d", "2h")),
    Burn("warning", Decimal(1), ("3d", "6h")),
)


def series(owner: Owner, metric: str, *matchers: str) -> str:
    """The metric of this service's pods, whether scraped from the pods, the Service or the kubelet."""
    # A pod of a Deployment is NAME-HASH-HASH, so that one of NAME-OTHER never fits.
    pods = f'pod=~"{owner.name}-[0-9a-z]+-[0-9a-z]+"'
    chosen = ",".join((f'namespace="{owner.namespace}"', pods, *matchers))
    return f"{metric}{{{chosen}}}"


def asked(owner: Owner, query: str) -> str:
    """1 while a query's sum is above 0, or pods answer requests that it may not see, else 0."""
    answered = f"sum(rate({series(owner, 'structbert_requests_total')}[2m])) > 0"
    return f"(sum({query}) > 0 or {answered} or vector(0)) > bool 0"


def failures(owner: Owner, window: str = "5m") -> str:
    """Failed requests as a share of all; no value while there are no requests."""
    failed = series(owner, "structbert_requests_total", FAILED)
    every = series(owner, "structbert_requests_total")
    return f"(sum(rate({failed}[{window}])) or vector(0)) / (sum(rate({every}[{window}])) > 0)"


def record(window: str) -> str:
    """The name under which a recording rule keeps `failures`."""
    return f"sentimentservice:request_failures:ratio_rate{window}"


def recorded(owner: Owner, window: str) -> str:
    """`failures` as its recording rule keeps it."""
    return f'{record(window)}{{namespace="{owner.namespace}",sentimentservice="{owner.name}"}}'


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
