"""SentimentService v1alpha1: what a user asks for.

Defaults live here and so in the CRD: the API server fills them in, the
operator never writes a spec.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "sentiment-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "SentimentService"
PLURAL = "sentimentservices"

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]


class Strict(BaseModel):
    """camelCase in YAML, snake_case in code; an unknown field is an error."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Image(Strict):
    """The container image of the pods."""

    reference: str | None = Field(
        None, description="Image to run instead of the one that the operator was installed with."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )
    pull_secrets: list[str] = Field(
        default_factory=list, description="Names of Secrets in this namespace that hold registry credentials."
    )


class ResourceAmounts(Strict):
    """Amounts of CPU and memory."""

    cpu: Quantity | None = Field(None, description="Cores, as a Kubernetes quantity.")
    memory: Quantity | None = Field(None, description="Bytes, as a Kubernetes quantity.")


class Resources(Strict):
    """What each pod gets."""

    requests: ResourceAmounts = Field(
        ResourceAmounts(cpu="250m", memory="256Mi"), description="What the scheduler sets aside for each pod."
    )
    limits: ResourceAmounts = Field(
        ResourceAmounts(cpu=None, memory="1Gi"), description="What no pod may exceed."
    )


class Serving(Strict):
    """Settings of the server in each pod."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least level that is logged."
    )
    max_text_length: int = Field(
        512, ge=1, le=100000, description="Longest text in characters; longer ones are refused."
    )
    max_batch_items: int = Field(
        1000, ge=1, le=4096, description="Most texts in one batch request; more are refused."
    )
    request_timeout_seconds: int = Field(
        30, ge=1, le=3600, description="A request not answered in this time gets 504."
    )
    idle_unload_seconds: int = Field(
        0, ge=0, description="Unload the model after this time without a request; 0 keeps it."
    )
    warm_up: bool = Field(
        False, description="Load the model when a pod starts instead of at its first request."
    )
    log_preview_chars: int = Field(
        50, ge=0, le=1000, description="Characters of each text that the log shows; 0 shows none."
    )


class Storage(Strict):
    """The volume that holds the model for all pods."""

    size: Quantity = Field("1Gi", description="Size of the claim.")
    storage_class_name: str | None = Field(
        None, description="Storage class of the claim; the cluster's default when absent."
    )
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        "ReadWriteOnce",
        description="ReadWriteOnce keeps all pods on the node of the first; ReadWriteMany lets them spread.",
    )
    retain: bool = Field(
        False, description="Keep the claim, and with it the model, when this object is deleted."
    )


class SentimentServiceSpec(Strict):
    """A running Chinese sentiment API."""

    image: Image = Field(Image(), description="The container image of the pods.")  # type: ignore[call-arg]
    replicas: int = Field(1, ge=0, le=1000, description="Number of pods.")
    resources: Resources = Field(Resources(), description="CPU and memory of each pod.")  # type: ignore[call-arg]
    serving: Serving = Field(Serving(), description="Settings of the server.")  # type: ignore[call-arg]
    storage: Storage = Field(Storage(), description="The volume that holds the model.")  # type: ignore[call-arg]


class Owner(BaseModel):
    """Identity of one SentimentService object: all that children need to refer to it."""

    model_config = ConfigDict(frozen=True)

    name: str
    namespace: str
    uid: str
