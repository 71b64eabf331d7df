"""Where pods run: affinity, spread, node selector, tolerations, priority."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .compact import dump
from .metadata import model_label, selector
from .surroundings import PreparedModel, Surroundings

_NODE = "kubernetes.io/hostname"
_MUST = "requiredDuringSchedulingIgnoredDuringExecution"
_SHOULD = "preferredDuringSchedulingIgnoredDuringExecution"


_BOUND = attrgetter("one_node")


def on_one_node(spec: SentimentServiceSpec, around: Surroundings) -> bool:
    """Whether the volume with the model keeps all pods on one node."""
    models = around.models
    return any(map(_BOUND, models)) if models else spec.storage.access_mode == "ReadWriteOnce"


def cannot_spread(spec: SentimentServiceSpec, models: Sequence[PreparedModel]) -> bool:
    """Whether pods must be on several nodes, and a model's volume can only be on one."""
    wanted = spec.availability
    strict = any(rule.when_unsatisfiable == "DoNotSchedule" for rule in wanted.topology_spread)
    return any(map(_BOUND, models)) and (wanted.anti_affinity == "Required" or strict)


def beside(model: str) -> dict[str, Any]:
    """The podAffinity of all that mounts the volume of a SentimentModel."""
    mounts = {"matchExpressions": [{"key": model_label(model), "operator": "Exists"}]}
    return {_MUST: [{"labelSelector": mounts, "topologyKey": _NODE}]}


def scheduling(owner: Owner, spec: SentimentServiceSpec, models: Sequence[PreparedModel]) -> dict[str, Any]:
    """The part of a pod's spec that the scheduler reads."""
    made: dict[str, Any] = {"affinity": _affinity(owner, spec, models)}
    if spread := spec.availability.topology_spread:
        made["topologySpreadConstraints"] = [
            {
                "topologyKey": rule.topology_key,
                "maxSkew": rule.max_skew,
                "whenUnsatisfiable": rule.when_unsatisfiable,
                "labelSelector": {"matchLabels": selector(owner)},
                # Each version is spread by itself: old pods that go soon don't count.
                "matchLabelKeys": ["pod-template-hash"],
            }
            for rule in spread
        ]
    if spec.availability.priority_class_name:
        made["priorityClassName"] = spec.availability.priority_class_name
    if spec.pod.node_selector:
        made["nodeSelector"] = dict(spec.pod.node_selector)
    if spec.pod.tolerations:
        made["tolerations"] = [dump(given) for given in spec.pod.tolerations]
    return {name: value for name, value in made.items() if value}


def _affinity(owner: Owner, spec: SentimentServiceSpec, models: Sequence[PreparedModel]) -> dict[str, Any]:
    """The user's affinity, and ours added to it."""
    made: dict[str, Any] = dump(spec.pod.affinity) if spec.pod.affinity else {}
    near = {"labelSelector": {"matchLabels": selector(owner)}, "topologyKey": _NODE}
    if bound := {model.name for model in models if model.one_node}:
        for name in sorted(bound):
            _add(made, "podAffinity", _MUST, beside(name)[_MUST][0])
    elif not models and spec.storage.access_mode == "ReadWriteOnce":
        # The volume is on one node at a time: a pod elsewhere would wait for it for ever.
        _add(made, "podAffinity", _MUST, near)
    elif spec.availability.anti_affinity == "Required":
        _add(made, "podAntiAffinity", _MUST, near)
    elif spec.availability.anti_affinity == "Preferred":
        _add(made, "podAntiAffinity", _SHOULD, {"weight": 100, "podAffinityTerm": near})
    return made


def _add(affinity: dict[str, Any], kind: str, strength: str, term: dict[str, Any]) -> None:
    affinity.setdefault(kind, {}).setdefault(strength, []).append(term)
