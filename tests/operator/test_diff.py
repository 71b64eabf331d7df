import copy
from typing import Any

from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.diff import differences
from sentiment_operator.render import Surroundings, render

from .objects import OWNER

AROUND = Surroundings("image:1")


def applied(manifest: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The manifest as a server would hold it, with our field manager's entry."""
    held = copy.deepcopy(manifest)
    held["metadata"]["managedFields"] = [
        {"manager": "sentiment-operator", "operation": "Apply", "fieldsV1": fields}
    ]
    return held


def test_what_was_applied_does_not_differ() -> None:
    for manifest in render(OWNER, SentimentServiceSpec.model_validate({}), AROUND).apply:
        assert differences(manifest, applied(manifest, {}), "sentiment-operator") == []


def test_a_changed_field_is_named() -> None:
    deployment = render(OWNER, SentimentServiceSpec.model_validate({}), AROUND).apply[-1]
    held = applied(deployment, {})
    held["spec"]["replicas"] = 7
    assert differences(deployment, held, "sentiment-operator") == ["spec.replicas"]


def test_equal_quantities_do_not_differ() -> None:
    deployment = render(OWNER, SentimentServiceSpec.model_validate({}), AROUND).apply[-1]
    held = applied(deployment, {})
    held["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] = {
        "cpu": "0.25",
        "memory": "268435456",
    }
    assert differences(deployment, held, "sentiment-operator") == []


def test_a_field_no_longer_desired_is_named() -> None:
    [_, service, _] = render(OWNER, SentimentServiceSpec.model_validate({}), AROUND).apply
    fields: dict[str, Any] = {"f:spec": {"f:sessionAffinity": {}}}
    assert differences(service, applied(service, fields), "sentiment-operator") == ["spec.sessionAffinity"]


def test_an_object_that_was_never_applied_differs() -> None:
    [_, service, _] = render(OWNER, SentimentServiceSpec.model_validate({}), AROUND).apply
    assert differences(service, service, "sentiment-operator") == ["metadata.managedFields"]
