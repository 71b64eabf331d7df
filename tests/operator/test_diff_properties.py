"""Whatever the spec: what a server adds is no difference, and what anybody changes is one."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.diff import differences
from sentiment_operator.render import render

from .objects import OWNER
from .specs import CASES, RICH

Path = tuple[str | int, ...]
AMOUNTS = st.sampled_from(["1", "250m", "0.5", "512Mi", "2Gi", "1500M"])
SIMPLE = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 1000),
        "image": st.sampled_from([{"reference": "mirror/x:1"}, {"pullSecrets": ["a", "b"]}]),
        "resources": st.fixed_dictionaries(
            {"requests": st.fixed_dictionaries({}, optional={"cpu": AMOUNTS, "memory": AMOUNTS})}
        ),
        "serving": st.fixed_dictionaries({"warmUp": st.booleans(), "idleUnloadSeconds": st.integers(0, 99)}),
        "storage": st.fixed_dictionaries({"retain": st.booleans(), "size": AMOUNTS}),
    },
)
SPECS = st.one_of(SIMPLE, st.sampled_from([spec for spec, _ in CASES.values()]))
# Maps whose names are the user's.
FREE = ("labels", "matchLabels", "selector", "requests", "limits", "annotations", "nodeSelector", "data")


def dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict inside, but for those that are values of the user's (labels, amounts, selectors)."""
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if name not in FREE:
                yield from dictionaries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from dictionaries(inner)


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def held(manifest: dict[str, Any]) -> dict[str, Any]:
    copied = copy.deepcopy(manifest)
    copied["metadata"]["managedFields"] = [
        {"manager": "sentiment-operator", "operation": "Apply", "fieldsV1": {}}
    ]
    return copied


@given(SPECS, st.data())
def test_what_the_server_adds_is_no_difference(spec: dict[str, Any], data: st.DataObject) -> None:
    for manifest in render(OWNER, SentimentServiceSpec.model_validate(spec), RICH).apply:
        seen = held(manifest)
        for place in dictionaries(seen):
            if data.draw(st.booleans()):
                place["addedByTheServer"] = "x"
        assert differences(manifest, seen, "sentiment-operator") == []


@given(SPECS, st.data())
def test_every_change_is_a_difference(spec: dict[str, Any], data: st.DataObject) -> None:
    manifests = render(OWNER, SentimentServiceSpec.model_validate(spec), RICH).apply
    manifest = data.draw(st.sampled_from(manifests))
    path = data.draw(st.sampled_from(sorted(leaves(manifest), key=str)))
    seen = held(manifest)
    place: Any = seen
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    place[path[-1]] = "7654321" if isinstance(old, str) else not old if isinstance(old, bool) else old + 1
    assert differences(manifest, seen, "sentiment-operator"), path
