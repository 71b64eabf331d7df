"""A new operator finds what an earlier release made, and restarts no pod."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from sentiment_operator.api.v1alpha1 import PLURAL

from .conftest import Api, Operator, wait_for
from .steps import apply

pytestmark = pytest.mark.api
# Of each release: a spec, and the Deployment that its operator made of it. Where a release changes pods on
# purpose, its notes say so, and this list begins with it.
RELEASED = sorted((Path(__file__).parent / "released").glob("*/*.yaml"))


@pytest.fixture
def upgraded(operator: Operator) -> Iterator[Operator]:
    """Does not run; starts with the image that the released pods have."""
    operator.stop()
    image = {"SERVICE_IMAGE": "sentiment-operator/service:1"}
    new = replace(operator, log=operator.log.with_name("upgraded"), environment=image, process=None)
    yield new
    new.stop()
    operator.start()


@pytest.fixture
def released(api: Api, namespace: str) -> Iterator[list[str]]:
    """Namespaces that an earlier release worked in."""
    assert RELEASED
    names = [f"{namespace}-{number}" for number, _ in enumerate(RELEASED)]
    for name, file in zip(names, RELEASED, strict=True):
        api("create", "namespace", name)
        _install(api, name, yaml.safe_load(file.read_text().replace("namespace=shop", f"namespace={name}")))
    yield names
    api("delete", "namespace", *names, "--wait=false")


def test_pods_of_an_earlier_release_are_not_restarted(
    api: Api, upgraded: Operator, released: list[str]
) -> None:
    before = {name: wait_for("pods", partial(_pods, api, name)) for name in released}
    upgraded.start()
    for name in released:
        wait_for("status", partial(_told, api, name))
        wait_for("controller", partial(_acted, api, name))
    assert {name: _pods(api, name) for name in released} == before


def _install(api: Api, namespace: str, released: dict[str, Any]) -> None:
    apply(api, namespace, **released["spec"])
    uid = api.get("-n", namespace, PLURAL, "reviews")["metadata"]["uid"]
    deployment = released["deployment"]
    deployment["metadata"]["namespace"] = namespace
    deployment["metadata"]["ownerReferences"][0]["uid"] = uid
    api("apply", "--server-side", "--field-manager=sentiment-operator", "-f", "-", stdin=deployment)


def _pods(api: Api, namespace: str) -> set[str]:
    """The pods' templates, by the hashes that name them, and the pods that could be made."""
    return set(api("-n", namespace, "get", "replicasets,pods", "-o", "name").split())


def _told(api: Api, namespace: str) -> bool:
    """The operator has had a whole pass."""
    found = api.get("-n", namespace, PLURAL, "reviews")
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])


def _acted(api: Api, namespace: str) -> bool:
    """The Deployment controller has done what the operator may have asked for."""
    found = api.get("-n", namespace, "deployment", "reviews")
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])
