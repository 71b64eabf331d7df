"""SentimentModel v1alpha1: a model that is fetched, converted, quantised and judged once, then shared."""

from typing import Literal

from pydantic import Field

from .affinity import Toleration
from .base import Labels, Name, Quantity, Strict, config, each
from .model_source import EvaluationSource, Source, UnlabelledSource
from .pod import EnvironmentVariable, SecurityContext
from .serving import Image, Limits, Requests, request_within_limit
from .storage import AccessMode, storage_rules


class ClassNames(Strict):
    """The checkpoint's own names of its two classes."""

    negative: str = Field(min_length=1, max_length=63, pattern="^[^,]+$", description="Of the negative one.")
    positive: str = Field(min_length=1, max_length=63, pattern="^[^,]+$", description="Of the positive one.")


class Gate(Strict):
    """What a precision may cost, compared with fp32 on the judged half of the evaluation's texts."""

    max_accuracy_drop: float = Field(
        0.5, ge=0, le=100, description="The most percentage points of accuracy that may be lost."
    )
    max_calibration_rise: float = Field(
        1, ge=0, le=100, description="The most percentage points that the calibration error may rise by."
    )
    max_texts: int = Field(
        1000,
        ge=40,
        le=1000000,
        description="The most texts for each of fitting and judging.",
    )
    evaluation: EvaluationSource | None = Field(
        None, description="Your own labelled texts, as CSV with a header text,label; else bundled reviews."
    )


class Distillation(Strict):
    """The pruned model learns the answers of the whole one; no labels are asked."""

    texts: UnlabelledSource | None = Field(
        None,
        description="Your own texts, as CSV with a column text; else the bundled reviews' training part.",
    )


class Pruning(Strict):
    """Fewer neurons in the feed-forward part of every layer; the gate judges it like a precision."""

    percent: int = Field(ge=1, le=90, description="About how many percent of the neurons are removed.")
    distillation: Distillation | None = Field(
        None,
        description="Train the pruned model on texts without labels: it takes long, and memory of five times "
        "the model in fp32.",
    )


class ModelStorage(Strict):
    """The volume that holds the packages; every pod that serves the model mounts it read-only."""

    model_config = config(*storage_rules("SentimentModel"))

    size: Quantity = Field("5Gi", description="Size of the claim: five times the checkpoint is enough.")
    storage_class_name: Name | None = Field(
        None, description="Storage class of the claim; the cluster's default when absent."
    )
    access_mode: AccessMode = Field(
        "ReadWriteOnce",
        description="ReadWriteOnce keeps the pods of all services that use the model on one node; "
        "ReadWriteMany lets them run on any.",
    )
    retain: bool = Field(
        False, description="Keep the claim, and with it the packages, when this object is deleted."
    )


class JobRequests(Requests):
    """What the scheduler sets aside for the Job."""

    cpu: Quantity = Field("500m", description="Cores.")
    memory: Quantity = Field("1Gi", description="Bytes of memory.")


class JobLimits(Limits):
    """What the Job may not exceed."""

    memory: Quantity = Field(
        "4Gi", description="Bytes of memory: three times the checkpoint in fp32, and 1 GiB, is enough."
    )


class JobResources(Strict):
    """What the Job gets."""

    model_config = config(
        request_within_limit("spec.job.resources", "cpu", "cpu"),
        request_within_limit("spec.job.resources", "memory", "memory"),
        request_within_limit("spec.job.resources", "ephemeral-storage", "ephemeral__dash__storage"),
    )

    requests: JobRequests = Field(
        default_factory=JobRequests,  # type: ignore[arg-type]
        description="What the scheduler sets aside for the Job.",
    )
    limits: JobLimits = Field(
        default_factory=JobLimits,  # type: ignore[arg-type]
        description="What the Job may not exceed.",
    )


class ModelJob(Strict):
    """The Job that prepares the model."""

    resources: JobResources = Field(default_factory=JobResources, description="CPU and memory of the Job.")
    deadline_seconds: int = Field(
        21600, ge=60, le=604800, description="The Job is ended, as failed, after this time."
    )
    node_selector: Labels = Field(default_factory=dict, description="Labels that the node must have.")
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=32, description="Taints that are tolerated."
    )
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        max_length=32,
        description="More environment variables, such as HTTPS_PROXY.",
        json_schema_extra=each("name"),
    )
    security_context: SecurityContext = Field(
        default_factory=SecurityContext,  # type: ignore[arg-type]
        description="Identity of the processes.",
    )


class SentimentModelSpec(Strict):
    """A model package, prepared once for all services of the namespace."""

    model_config = config(
        (
            "self.engine != 'torch' || self.precision == 'auto'",
            "spec.precision: with engine torch the device decides it: remove it, or set engine to openvino",
        ),
        (
            "self.engine != 'torch' || !has(self.pruning)",
            "spec.pruning: with engine torch the checkpoint is served whole: remove it, or set engine to "
            "openvino",
        ),
        (
            "self.engine != 'torch' || !has(self.source.bundled)",
            "spec.engine: the bundled model is for openvino: remove engine, or name another source",
        ),
    )

    source: Source = Field(description="Where the model comes from.")
    labels: ClassNames | None = Field(
        None, description="The checkpoint's names of its classes, where they are not known by themselves."
    )
    engine: Literal["openvino", "torch"] = Field(
        "openvino",
        description="The services' engine. For openvino the package is quantised; for torch, which runs on "
        "GPUs too, it holds the checkpoint.",
    )
    precision: Literal["auto", "int8", "bf16", "fp32"] = Field(
        "auto",
        description="For openvino: auto measures where the Job runs and takes the fastest that passes the "
        "gate; the others go on to the next gentler one when they are refused.",
    )
    pruning: Pruning | None = Field(
        None,
        description="Try each precision on a pruned model first, then on the whole one.",
    )
    gate: Gate = Field(
        default_factory=Gate,  # type: ignore[arg-type]
        description="What a precision may cost.",
    )
    storage: ModelStorage = Field(
        default_factory=ModelStorage,  # type: ignore[arg-type]
        description="The volume that holds the packages.",
    )
    image: Image = Field(
        default_factory=Image,  # type: ignore[arg-type]
        description="The image of the Job.",
    )
    job: ModelJob = Field(
        default_factory=ModelJob,  # type: ignore[arg-type]
        description="The Job that prepares the model.",
    )
