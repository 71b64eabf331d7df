"""What the pods' /metrics say of traffic. Pure, but for who asks."""

from dataclasses import dataclass, fields

from prometheus_client.parser import text_string_to_metric_families

from .kube import Api, KubeError, Target, proxied


@dataclass(frozen=True)
class Traffic:
    """Counts since the start of a pod, and what is so now; they add up over pods."""

    requests: float = 0
    refused: float = 0
    failed: float = 0
    texts: float = 0
    timed: float = 0
    seconds: float = 0
    active: float = 0
    queued: float = 0
    loaded: float = 0
    memory: float = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def since(self, before: "Traffic") -> "Traffic":
        """Only what was counted after `before`; what is so now stays."""
        names = ("requests", "refused", "failed", "texts", "timed", "seconds")
        return Traffic(
            **{
                one.name: getattr(self, one.name) - (getattr(before, one.name) if one.name in names else 0)
                for one in fields(self)
            }
        )

    @property
    def average_ms(self) -> float:
        """Of requests that are timed; 0 without any."""
        return 1000 * self.seconds / self.timed if self.timed else 0.0


_SUMS = {
    "structbert_texts_total": "texts",
    "structbert_request_latency_seconds_count": "timed",
    "structbert_request_latency_seconds_sum": "seconds",
    "structbert_active_requests": "active",
    "structbert_queue_length": "queued",
    "structbert_model_loaded": "loaded",
    "structbert_memory_usage_bytes": "memory",
}


def parse(text: str) -> Traffic:
    """The text format of one pod."""
    found: dict[str, float] = {}

    def add(name: str, value: float) -> None:
        found[name] = found.get(name, 0) + value

    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if name := _SUMS.get(sample.name):
                add(name, sample.value)
            elif sample.name == "structbert_requests_total":
                add("requests", sample.value)
                status = sample.labels["status"]
                if status == "429":
                    add("refused", sample.value)
                elif status.startswith("5"):
                    add("failed", sample.value)
    return Traffic(**found)


def of_pod(api: Api, target: Target, pod: str) -> Traffic | None:
    """None when the pod does not answer."""
    try:
        return parse(api.text(proxied(target, "metrics", pod)))
    except KubeError:
        return None
