"""Which model is served, with which settings, image and resources."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Name, Quantity, Strict, as_quantity, config, each


class Bundled(Strict):
    """The model in the service's image."""


class ModelReference(Strict):
    """A SentimentModel."""

    name: Name = Field(description="Name of a SentimentModel in this namespace.")


class Model(Strict):
    """The model to serve; the bundled one when neither is given."""

    # No default for `bundled`: it would stay in the object, in the way of a modelRef applied later.
    model_config = config(
        (
            "!(has(self.bundled) && has(self.modelRef))",
            "spec.model: give bundled (the image's own model) or modelRef (a SentimentModel), not both",
        )
    )

    bundled: Bundled | None = Field(
        None,
        description="Serve the model in the service's image: `bundled: {}`, as when nothing is given.",
    )
    model_ref: ModelReference | None = Field(None, description="Serve a SentimentModel of this namespace.")


class NamedModel(Strict):
    """One of several models."""

    name: str = Field(
        min_length=1,
        max_length=52,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="What requests choose it by: `model` in the body, or the path of v2.",
    )
    model_ref: ModelReference = Field(description="A SentimentModel of this namespace.")
    default: bool = Field(
        False, description="Answers requests that name no model; when none is marked, the first one does."
    )


class Image(Strict):
    """The container image of the pods."""

    reference: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Image to run instead of the one that the operator was installed with.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )
    pull_secrets: list[Name] = Field(
        default_factory=list,
        max_length=16,
        description="Names of Secrets in this namespace that hold registry credentials.",
        json_schema_extra=each(),
    )


class Requests(Strict):
    """What the scheduler sets aside."""

    cpu: Quantity = Field("250m", description="Cores.")
    memory: Quantity = Field("256Mi", description="Bytes of memory.")
    ephemeral_storage: Quantity | None = Field(
        None, alias="ephemeral-storage", description="Bytes of the node's disk."
    )


class Limits(Strict):
    """What no pod may exceed."""

    cpu: Quantity | None = Field(
        None, description="Cores; without a limit a pod may use what the node has to spare."
    )
    memory: Quantity = Field("1Gi", description="Bytes of memory; a pod that needs more is killed.")
    ephemeral_storage: Quantity | None = Field(
        None, alias="ephemeral-storage", description="Bytes of the node's disk."
    )


def request_within_limit(path: str, name: str, get: str) -> tuple[str, str]:
    """The rule for one resource of a part that lies at `path`; get: the name as CEL spells it."""
    sides = [f"self.{side}.{get}" for side in ("requests", "limits")]
    request, limit = map(as_quantity, sides)
    return (
        f"!has({sides[0]}) || !has({sides[1]}) || {request}.compareTo({limit}) <= 0",
        f"{path}.requests.{name} is above its limit: raise limits.{name} or lower the request",
    )


class Resources(Strict):
    """What each pod gets."""

    model_config = config(
        request_within_limit("spec.resources", "cpu", "cpu"),
        request_within_limit("spec.resources", "memory", "memory"),
        # CEL escapes the hyphen: https://kubernetes.io/docs/reference/using-api/cel/#escaping
        request_within_limit("spec.resources", "ephemeral-storage", "ephemeral__dash__storage"),
        (
            "!has(self.extended) || self.extended.all(r, r.contains('/'))",
            "spec.resources.extended: a resource has a domain, such as nvidia.com/gpu; cpu and memory are "
            "fields of requests and limits",
        ),
    )

    requests: Requests = Field(
        default_factory=Requests,  # type: ignore[arg-type]
        description="What the scheduler sets aside for each pod, as Kubernetes quantities.",
    )
    limits: Limits = Field(
        default_factory=Limits,  # type: ignore[arg-type]
        description="What no pod may exceed.",
    )
    extended: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(
        default_factory=dict,
        description="Devices, as request and limit, such as `nvidia.com/gpu: 1` for the torch engine.",
    )


Origin = Annotated[str, Field(max_length=253, pattern=r"^(\*|https?://[A-Za-z0-9.:_\[\]-]+)$")]


class Serving(Strict):
    """Settings of the server in each pod."""

    model_config = config(
        (
            "self.queueLimit >= self.maxBatchItems",
            "spec.serving.queueLimit: a full batch must fit into it; raise it to maxBatchItems or more",
        )
    )

    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="What runs the model; auto chooses by what the model is."
    )
    workers: int = Field(
        1,
        ge=0,
        le=64,
        description="HTTP worker processes in each pod, which share one engine; 0: one for every two CPUs "
        "that the pod may use.",
    )
    inference_threads: int = Field(
        0, ge=0, le=1024, description="Threads of the engine; 0: as many as the pod's CPU allows."
    )
    max_text_length: int = Field(
        512, ge=1, le=100000, description="Longest text in characters; longer ones are refused."
    )
    max_batch_items: int = Field(
        1000, ge=1, le=100000, description="Most texts in one batch request; more are refused."
    )
    max_body_bytes: int = Field(
        4194304, ge=1024, le=1073741824, description="Largest request body in bytes; larger ones get 413."
    )
    max_batch_tokens: int = Field(
        256,
        ge=1,
        le=1048576,
        description="Most padded tokens that the engine computes at once; four times as many where a run "
        "costs much beside them, as with the bundled model and with AMX.",
    )
    queue_limit: int = Field(
        4096,
        ge=1,
        le=10000000,
        description="Texts that may wait in one pod for one model; more are refused with 429.",
    )
    request_timeout_seconds: int = Field(
        30, ge=1, le=3600, description="A request not answered in this time gets 504."
    )
    drain_seconds: int = Field(
        3,
        ge=0,
        le=600,
        description="A pod that is to stop goes on answering for this time, until all know that it goes.",
    )
    warm_up: bool = Field(
        False,
        description="Load the model, of several the default one, when a pod starts instead of at its first "
        "request.",
    )
    idle_unload_seconds: int = Field(
        0, ge=0, description="Unload a model after this time without a request; 0 keeps it."
    )
    memory_soft_limit_bytes: int = Field(
        0,
        ge=0,
        description="Above this the pod unloads models, the idle and least recently used first, and in the "
        "end takes no requests; 0: 85 % of its memory limit.",
    )
    cors_allow_origins: list[Origin] = Field(
        default_factory=list,
        max_length=64,
        description="Origins (`https://app.example.com`) whose pages may call the API; `*` lets all.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least level that is logged."
    )
    log_preview_chars: int = Field(
        50, ge=0, le=1000, description="Characters of each text that the log shows; 0 shows none."
    )
