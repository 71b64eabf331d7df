"""Metrics, alerts, dashboard and traces."""

from typing import Annotated

from pydantic import Field

from .base import Annotations, Labels, Quantity, Strict, config

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]*(s|m|h)$", max_length=8)]
Objective = Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,3})?$", max_length=6)]
# 1 to 65535: a NetworkPolicy lets pods out to this port.
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
Percent = Annotated[str, Field(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$", max_length=6)]


class ServiceMonitor(Strict):
    """How the Prometheus operator scrapes the pods."""

    model_config = config(
        (
            "duration(self.scrapeTimeout) <= duration(self.interval)",
            "spec.monitoring.serviceMonitor.scrapeTimeout is longer than interval: shorten it",
        )
    )

    interval: Duration = Field("15s", description="Time between two scrapes.")
    scrape_timeout: Duration = Field("10s", description="A scrape that takes longer fails.")
    labels: Labels = Field(
        default_factory=dict, description="Labels by which a Prometheus selects it, such as `release: stack`."
    )


class Thresholds(Strict):
    """Where the six alerts fire."""

    unavailable_for: Duration = Field("1m", description="No pod's /health answered 200 for this long.")
    p95_latency_milliseconds: int = Field(
        500, ge=1, description="95 of 100 requests took longer, for 5 minutes."
    )
    memory: Quantity = Field("1500M", description="A pod's memory is above this.")
    cpu_percent: int = Field(
        80,
        ge=1,
        le=1000,
        description="CPU use above this share of the limit (else the request), for 5 minutes.",
    )
    success_rate_percent: Percent = Field(
        "99", description="Share of requests that did not end in 429 or 5xx is below this, for 5 minutes."
    )
    traffic_drop_percent: int = Field(
        50, ge=1, le=100, description="The last day has so many fewer requests than the same day before."
    )


class PrometheusRule(Strict):
    """The six alerts, and an error budget."""

    labels: Labels = Field(
        default_factory=dict, description="Labels by which a Prometheus selects the PrometheusRule."
    )
    alert_labels: Labels = Field(
        default_factory=dict, description="Labels added to every alert, for routing, such as `team: nlp`."
    )
    thresholds: Thresholds = Field(
        default_factory=Thresholds,  # type: ignore[arg-type]
        description="Where the alerts fire.",
    )
    objective_percent: Objective = Field(
        "99.9",
        description="Share of the requests of 30 days that must not end in 429 or 5xx; alerts tell when "
        "the rest is used up too fast.",
    )


class Dashboard(Strict):
    """A Grafana dashboard in a ConfigMap, as Grafana's sidecar loads it."""

    labels: Labels = Field(
        {"grafana_dashboard": "1"}, description="Labels by which Grafana's sidecar finds the ConfigMap."
    )
    annotations: Annotations = Field(
        default_factory=dict, description="Annotations of the ConfigMap, such as `grafana_folder: NLP`."
    )


class Tracing(Strict):
    """OpenTelemetry traces."""

    otlp_endpoint: str = Field(
        max_length=512,
        pattern=rf"^https?://[A-Za-z0-9.-]+:{_PORT}(/\S*)?$",
        description="Where traces go, with its port, such as http://collector.monitoring:4318.",
    )


class Monitoring(Strict):
    """Metrics, alerts, dashboard and traces; each part exists when it is given, `{}` is enough."""

    scrape_annotations: bool = Field(
        False,
        description="Annotate the pods with prometheus.io/scrape, path and port, for a plain Prometheus.",
    )
    service_monitor: ServiceMonitor | None = Field(
        None, description="Make a ServiceMonitor; needs the Prometheus operator."
    )
    prometheus_rule: PrometheusRule | None = Field(
        None, description="Make a PrometheusRule with alerts; needs the Prometheus operator."
    )
    dashboard: Dashboard | None = Field(None, description="Make a ConfigMap with a Grafana dashboard.")
    tracing: Tracing | None = Field(None, description="Send OpenTelemetry traces.")
