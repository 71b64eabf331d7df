"""Who owns the number of pods: an autoscaler takes it over, and gives it back, without a dip."""

from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.diff import differences
from sentiment_operator.render import Surroundings, render
from sentiment_operator.render.replicas import most_replicas, replicas

from .objects import OWNER

US = ("sentiment-operator", "Apply", "")
HPA = ("kube-controller-manager", "Update", "scale")
SOMEBODY = ("kubectl", "Apply", "")


def held(number: int, *owners: tuple[str, str, str]) -> Surroundings:
    """The cluster with a Deployment of that many replicas, written by these."""
    entries = [
        {"manager": who, "operation": how, "subresource": part, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for who, how, part in owners
    ]
    status = {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:status": {}}}
    made: dict[str, Any] = {
        "metadata": {"resourceVersion": "7", "managedFields": [*entries, status]},
        "spec": {"replicas": number},
    }
    return Surroundings("image:1", deployment=made)


def spec_of(**spec: Any) -> SentimentServiceSpec:
    return SentimentServiceSpec.model_validate(spec)


NONE = Surroundings("image:1")
SCALED = spec_of(autoscaling={"type": "HPA"})


@pytest.mark.parametrize(
    ("spec", "around", "number"),
    [
        (spec_of(), NONE, (1, None)),
        (SCALED, NONE, (2, None)),
        (spec_of(autoscaling={"type": "External", "minReplicas": 3}), NONE, (3, None)),
        # A start shows that it works, before the autoscaler takes the pod away.
        (spec_of(autoscaling={"type": "KEDA", "minReplicas": 0}), NONE, (1, None)),
        # A fixed number is ours, whoever wrote another.
        (spec_of(replicas=4), held(9, HPA), (4, None)),
        # Switched on: nobody else owns the number yet, so it is held, for exactly what was seen.
        (SCALED, held(5, US), (5, "7")),
        # The autoscaler has written it.
        (SCALED, held(6, HPA), (None, None)),
        (SCALED, held(6, US, SOMEBODY), (None, None)),
        # Switched off without a number: it stays what it is.
        (spec_of(), held(6, HPA), (None, None)),
        (spec_of(), held(6, US), (6, "7")),
        # Nobody owns it: an Update without field management, as old clients make.
        (spec_of(), held(6), (None, None)),
    ],
)
def test_the_number_and_its_owner(
    spec: SentimentServiceSpec, around: Surroundings, number: tuple[int | None, str | None]
) -> None:
    assert replicas(spec, around) == number


def test_holding_a_number_is_no_difference() -> None:
    around = held(5, US)
    [desired] = [child for child in render(OWNER, SCALED, around).apply if child["kind"] == "Deployment"]
    assert desired["spec"]["replicas"] == 5
    observed = {
        **desired,
        "metadata": {
            **desired["metadata"],
            "resourceVersion": "8",
            "managedFields": [
                {"manager": US[0], "operation": US[1], "fieldsV1": {"f:spec": {"f:replicas": {}}}}
            ],
        },
    }
    assert differences(desired, observed, US[0]) == []


def test_the_most_pods() -> None:
    assert most_replicas(SCALED, NONE) == 10
    assert most_replicas(spec_of(replicas=3), held(9, HPA)) == 3
    assert most_replicas(spec_of(), held(9, HPA)) == 9
    assert most_replicas(spec_of(), NONE) == 1
