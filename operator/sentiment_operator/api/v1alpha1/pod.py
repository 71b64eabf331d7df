"""What a platform team adds to the pods, and how these are spread."""

from typing import Annotated, Literal

from pydantic import Field

from .affinity import Affinity, LabelKey, Toleration
from .base import Annotations, IntOrPercent, Labels, Name, SecretKey, Strict, config, each
from .serving import Serving

# Variables that other fields of the spec decide.
OWN_VARIABLES = (
    "MODEL_DIR",
    "MODEL_NAME",
    "MODELS",
    "API_KEYS_FILE",
    "ROOT_PATH",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    *(name.upper() for name in Serving.model_fields),
)


class DisruptionBudget(Strict):
    """The PodDisruptionBudget."""

    model_config = config(
        (
            "!(has(self.minAvailable) && has(self.maxUnavailable))",
            "spec.availability.podDisruptionBudget: give minAvailable or maxUnavailable, not both",
        )
    )

    policy: Literal["Auto", "Always", "Never"] = Field(
        "Auto",
        description="Auto makes one when there can be several pods on several nodes: with "
        "ReadWriteOnce it would only keep the one node from being drained.",
    )
    min_available: IntOrPercent | None = Field(None, description="Pods that a drain must leave.")
    max_unavailable: IntOrPercent | None = Field(
        None, description="Pods that a drain may take at once; 1 when neither is given."
    )


class TopologySpread(Strict):
    """Pods spread evenly over zones, racks or nodes."""

    topology_key: LabelKey = Field(description="Label of the nodes, such as topology.kubernetes.io/zone.")
    max_skew: int = Field(1, ge=1, le=100, description="Most difference in pods between two of them.")
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] = Field(
        "ScheduleAnyway", description="Whether a pod that would break the rule runs all the same."
    )


class Availability(Strict):
    """What keeps the service up when nodes go."""

    pod_disruption_budget: DisruptionBudget = Field(
        default_factory=DisruptionBudget,  # type: ignore[arg-type]
        description="How many pods a drain may take.",
    )
    topology_spread: list[TopologySpread] = Field(
        default_factory=list,
        max_length=8,
        description="Spread pods evenly over zones, racks or nodes.",
        json_schema_extra=each("topologyKey", "whenUnsatisfiable"),
    )
    anti_affinity: Literal["None", "Preferred", "Required"] = Field(
        "Preferred",
        description="Pods on different nodes, where the storage lets them: as a wish, as a must, or not at "
        "all.",
    )
    priority_class_name: Name | None = Field(None, description="PriorityClass of the pods.")


class FieldReference(Strict):
    """A field of the pod."""

    field_path: str = Field(max_length=253, description="Such as metadata.name or status.podIP.")


class EnvironmentSource(Strict):
    """Where a variable comes from: exactly one."""

    model_config = config(
        (
            "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)].filter(x, x).size() == "
            "1",
            "spec.pod.env and spec.job.env: valueFrom takes exactly one of secretKeyRef, configMapKeyRef and "
            "fieldRef",
        )
    )

    secret_key_ref: SecretKey | None = Field(None, description="A key of a Secret.")
    config_map_key_ref: SecretKey | None = Field(None, description="A key of a ConfigMap.")
    field_ref: FieldReference | None = Field(None, description="A field of the pod.")


class EnvironmentVariable(Strict):
    """An environment variable."""

    model_config = config(
        (
            "has(self.value) != has(self.valueFrom)",
            "spec.pod.env and spec.job.env: give each variable either value or valueFrom",
        )
    )

    name: str = Field(
        min_length=1, max_length=128, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description="Its name."
    )
    value: str | None = Field(None, max_length=4096, description="Its value.")
    value_from: EnvironmentSource | None = Field(None, description="Where its value comes from.")


class SELinux(Strict):
    """SELinux labels."""

    level: str | None = Field(None, max_length=253, description="Level label.")
    role: str | None = Field(None, max_length=253, description="Role label.")
    type: str | None = Field(None, max_length=253, description="Type label.")
    user: str | None = Field(None, max_length=253, description="User label.")


class SecurityContext(Strict):
    """Identity of the processes; they are never root and their root file system is read-only."""

    run_as_user: int = Field(1000, ge=1, le=2147483647, description="User id.")
    run_as_group: int = Field(1000, ge=1, le=2147483647, description="Group id.")
    fs_group: int = Field(1000, ge=1, le=2147483647, description="Group that owns the model volume.")
    supplemental_groups: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=list, max_length=32, description="More groups."
    )
    se_linux_options: SELinux | None = Field(
        None, alias="seLinuxOptions", description="SELinux labels; the runtime's own when absent."
    )


_VARIABLES = "[" + ", ".join(f"'{name}'" for name in OWN_VARIABLES) + "]"
# The prefixes of labels and annotations that the operator itself sets.
_OURS = "k.startsWith('app.kubernetes.io/') || k.contains('sentiment-operator.io/')"


class Pod(Strict):
    """What is added to the pods."""

    model_config = config(
        (
            f"!has(self.labels) || self.labels.all(k, !({_OURS}))",
            "spec.pod.labels: labels of app.kubernetes.io and sentiment-operator.io are the operator's; "
            "choose another prefix",
        ),
        (
            f"!has(self.env) || self.env.all(e, !(e.name in {_VARIABLES}))",
            "spec.pod.env names a variable that another field decides: use that field of spec.serving, "
            "spec.model, spec.access or spec.monitoring.tracing",
        ),
    )

    labels: Labels = Field(
        default_factory=dict, description="More labels; they are never part of the selector."
    )
    annotations: Annotations = Field(default_factory=dict, description="More annotations.")
    node_selector: Labels = Field(default_factory=dict, description="Labels that the node must have.")
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=32, description="Taints that are tolerated."
    )
    affinity: Affinity | None = Field(None, description="Where pods run, beyond spec.availability.")
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        max_length=64,
        description="More environment variables of the server.",
        json_schema_extra=each("name"),
    )
    service_account_name: Name | None = Field(
        None, description="ServiceAccount of the pods; its token is not mounted."
    )
    security_context: SecurityContext = Field(
        default_factory=SecurityContext,  # type: ignore[arg-type]
        description="Identity of the processes.",
    )
