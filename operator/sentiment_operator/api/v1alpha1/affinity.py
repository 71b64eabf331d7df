"""Affinity and tolerations, in the words of Kubernetes: what is pasted from a PodSpec fits."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Labels, Strict

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
Weight = Annotated[int, Field(ge=1, le=100)]


class NodeSelectorRequirement(Strict):
    """A condition on a node."""

    key: LabelKey = Field(description="Label, or field, of the node.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How the values are compared."
    )
    values: list[str] | None = Field(None, max_length=64, description="What it is compared with.")


class NodeSelectorTerm(Strict):
    """Conditions that hold together."""

    match_expressions: list[NodeSelectorRequirement] | None = Field(
        None, max_length=16, description="Conditions on labels."
    )
    match_fields: list[NodeSelectorRequirement] | None = Field(
        None, max_length=16, description="Conditions on fields, such as metadata.name."
    )


class NodeSelector(Strict):
    """Terms of which one must hold."""

    node_selector_terms: list[NodeSelectorTerm] = Field(
        min_length=1, max_length=16, description="One of them must hold."
    )


class PreferredNode(Strict):
    """A wish."""

    weight: Weight = Field(description="How much it counts.")
    preference: NodeSelectorTerm = Field(description="Nodes that are preferred.")


class NodeAffinity(Strict):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        None, description="Nodes must fit this."
    )
    preferred_during_scheduling_ignored_during_execution: list[PreferredNode] | None = Field(
        None, max_length=16, description="Nodes that fit are preferred."
    )


class LabelRequirement(Strict):
    """A condition on labels."""

    key: LabelKey = Field(description="Label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the values are compared."
    )
    values: list[str] | None = Field(None, max_length=64, description="What it is compared with.")


class LabelSelector(Strict):
    """Objects by labels."""

    match_labels: Labels | None = Field(None, description="Labels that must be there.")
    match_expressions: list[LabelRequirement] | None = Field(
        None, max_length=16, description="Conditions that must hold."
    )


class PodAffinityTerm(Strict):
    """Other pods, and what counts as near."""

    label_selector: LabelSelector | None = Field(None, description="The other pods.")
    namespaces: list[str] | None = Field(
        None, max_length=32, description="Their namespaces; this one if absent."
    )
    namespace_selector: LabelSelector | None = Field(None, description="Their namespaces by labels.")
    topology_key: LabelKey = Field(description="Label of nodes that are near to each other when it is equal.")


class PreferredPods(Strict):
    """A wish."""

    weight: Weight = Field(description="How much it counts.")
    pod_affinity_term: PodAffinityTerm = Field(description="The other pods.")


class PodAffinity(Strict):
    """Near to, or far from, other pods."""

    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] | None = Field(
        None, max_length=16, description="Must hold."
    )
    preferred_during_scheduling_ignored_during_execution: list[PreferredPods] | None = Field(
        None, max_length=16, description="Should hold."
    )


class Affinity(Strict):
    """Where pods run; added to what spec.availability asks for."""

    node_affinity: NodeAffinity | None = Field(None, description="Which nodes.")
    pod_affinity: PodAffinity | None = Field(None, description="Near to other pods.")
    pod_anti_affinity: PodAffinity | None = Field(None, description="Far from other pods.")


class Toleration(Strict):
    """A taint that is tolerated."""

    key: str | None = Field(None, max_length=317, description="Taint; all when absent (with Exists).")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Equal when absent.")
    value: str | None = Field(None, max_length=63, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; all when absent."
    )
    toleration_seconds: int | None = Field(None, description="How long a NoExecute taint is tolerated.")
