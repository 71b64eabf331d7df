"""SentimentService and SentimentModel v1alpha1: what a user asks for.

Defaults live here and so in the CRD: the API server fills them in, the
operator never writes a spec.
"""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from .access import Access
from .base import Strict, as_quantity, config
from .model import SentimentModelSpec
from .monitoring import Monitoring
from .pod import Availability, Pod
from .profile import CORES, MEMORY, MODEL_MEMORY, UNTOUCHED, on_the_edge
from .scaling import Autoscaling, Rollout
from .serving import Image, Model, NamedModel, Resources, Serving
from .storage import Storage

GROUP = "sentiment-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "SentimentService"
PLURAL = "sentimentservices"
MODEL_KIND = "SentimentModel"
MODEL_PLURAL = "sentimentmodels"

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "MODEL_KIND",
    "MODEL_PLURAL",
    "PLURAL",
    "VERSION",
    "Owner",
    "Reference",
    "SentimentModelSpec",
    "SentimentServiceSpec",
]

_ONE_NODE = "spec.storage.accessMode ReadWriteOnce keeps all pods on one node: set it to ReadWriteMany, or"

_REFERS = "has(self.model.modelRef) || has(self.models)"
_SHARED = f"{_REFERS} || self.storage.accessMode == 'ReadWriteMany' ||"
_EDGE_LIMIT = f"({_REFERS}) ? '{MODEL_MEMORY}' : '{MEMORY}'"
_LIMIT = f"(self.profile == 'standard' ? self.resources.limits.memory : {_EDGE_LIMIT})"


class Reference(NamedTuple):
    """A SentimentModel that a service refers to."""

    # By which requests choose it; empty for the only one, of spec.model.
    called: str
    model: str


class SentimentServiceSpec(Strict):
    """A running Chinese sentiment API."""

    model_config = config(
        (
            "!has(self.replicas) || self.autoscaling.type == 'None'",
            "spec.replicas can't be given while spec.autoscaling.type is not None: remove replicas, "
            "or set spec.autoscaling.type to None",
        ),
        (
            f"{_SHARED} self.availability.antiAffinity != 'Required'",
            f"{_ONE_NODE} spec.availability.antiAffinity to Preferred",
        ),
        (
            f"{_SHARED} !has(self.availability.topologySpread) || "
            "self.availability.topologySpread.all(t, t.whenUnsatisfiable != 'DoNotSchedule')",
            f"{_ONE_NODE} whenUnsatisfiable in spec.availability.topologySpread to ScheduleAnyway",
        ),
        (
            f"double(self.serving.memorySoftLimitBytes) < {as_quantity(_LIMIT)}.asApproximateFloat()",
            "spec.serving.memorySoftLimitBytes must be below spec.resources.limits.memory (profile edge: "
            f"{MEMORY}, with a SentimentModel {MODEL_MEMORY}), at which pods are killed: lower the "
            "one or raise the other",
        ),
        (
            f"self.profile == 'standard' || ({UNTOUCHED})",
            "spec.profile edge decides requests and limits in spec.resources: leave them out, or set "
            "spec.profile to standard",
        ),
        (
            "!has(self.models) || !(has(self.model.bundled) || has(self.model.modelRef))",
            "spec.models takes the place of spec.model: remove model.bundled and model.modelRef, or remove "
            "models",
        ),
        (
            "!has(self.models) || self.models.all(m, self.models.exists_one(n, n.name == m.name))",
            "spec.models: two models have the same name; give each one of its own",
        ),
        (
            "!has(self.models) || self.models.filter(m, m.default).size() <= 1",
            "spec.models: only one can be the default; leave default: true at one of them",
        ),
    )

    model: Model = Field(
        default_factory=Model,  # type: ignore[arg-type]
        description="The model that is served.",
    )
    models: list[NamedModel] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Several models in each pod, in place of `model`: requests choose one by its name.",
    )
    profile: Literal["standard", "edge"] = Field(
        default="standard",
        description=f"edge: a small device. Pods get {CORES} core and {MEMORY} of memory, with a "
        f"SentimentModel {MODEL_MEMORY}, in place of the requests and limits in `resources`.",
    )
    image: Image = Field(
        default_factory=Image,  # type: ignore[arg-type]
        description="The container image of the pods.",
    )
    replicas: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Number of pods. When absent it starts with 1, or with autoscaling.minReplicas, and "
        "stays what it is: whoever scales the Deployment decides.",
    )
    serving: Serving = Field(
        default_factory=Serving,  # type: ignore[arg-type]
        description="Settings of the server.",
    )
    resources: Resources = Field(
        default_factory=Resources,
        description="CPU and memory of each pod.",
    )
    rollout: Rollout = Field(
        default_factory=Rollout,  # type: ignore[arg-type]
        description="How a new version replaces the old.",
    )
    autoscaling: Autoscaling = Field(
        default_factory=Autoscaling,  # type: ignore[arg-type]
        description="Who decides how many pods there are.",
    )
    availability: Availability = Field(
        default_factory=Availability,  # type: ignore[arg-type]
        description="What keeps the service up when nodes go.",
    )
    storage: Storage = Field(
        default_factory=Storage,  # type: ignore[arg-type]
        description="The volume that holds the bundled model; a SentimentModel has its own.",
    )
    monitoring: Monitoring = Field(
        default_factory=Monitoring,  # type: ignore[arg-type]
        description="Metrics, alerts, dashboard and traces.",
    )
    access: Access = Field(
        default_factory=Access,  # type: ignore[arg-type]
        description="Who reaches the service, and how.",
    )
    pod: Pod = Field(
        default_factory=Pod,  # type: ignore[arg-type]
        description="What is added to the pods.",
    )

    @property
    def references(self) -> tuple[Reference, ...]:
        """The SentimentModels that are served, the default one first; none of them: the bundled model."""
        if self.models:
            first = sorted(self.models, key=lambda one: not one.default)
            return tuple(Reference(one.name, one.model_ref.name) for one in first)
        return (Reference("", self.model.model_ref.name),) if self.model.model_ref else ()

    @property
    def pod_resources(self) -> Resources:
        """What each pod gets."""
        if self.profile == "standard":
            return self.resources
        return on_the_edge(self.resources, with_model=bool(self.references))


class Owner(BaseModel):
    """Identity of one object: all that children need to refer to it."""

    model_config = ConfigDict(frozen=True)

    kind: str = KIND
    name: str
    namespace: str
    uid: str
