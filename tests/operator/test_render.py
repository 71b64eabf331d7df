"""Every rendered object against its golden file: `pytest tests/operator --update-golden` writes them."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sentiment_operator.api.kinds import CHILDREN, CUSTOM_METRICS
from sentiment_operator.api.v1alpha1 import SentimentModelSpec, SentimentServiceSpec
from sentiment_operator.render import Children, PreparedModel, Surroundings, render, render_model
from sentiment_operator.render.metadata import labels, selector, version

from .objects import MODEL_OWNER, OWNER
from .specs import AUTOSCALED, BARE, CASES, FULL, MODEL_CASES, PREPARED, REVIEWS, RICH, SEVERAL

GOLDEN = Path(__file__).parent / "golden"


def rendered(spec: dict[str, Any], around: Surroundings = RICH) -> Children:
    return render(OWNER, SentimentServiceSpec.model_validate(spec), around)


def by_kind(spec: dict[str, Any], around: Surroundings = RICH) -> dict[str, dict[str, Any]]:
    return {manifest["kind"]: manifest for manifest in rendered(spec, around).apply}


def file_of(kind: str) -> str:
    return f"{re.sub('(?<=[a-z])(?=[A-Z])', '-', kind).lower()}.yaml"


@pytest.mark.parametrize("name", CASES)
def test_children_are_as_the_golden_files_say(name: str, request: pytest.FixtureRequest) -> None:
    compare_with_golden_files(name, by_kind(*CASES[name]), request)


def compare_with_golden_files(
    name: str, made: dict[str, dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    files = {file_of(kind): manifest for kind, manifest in made.items()}
    folder = GOLDEN / name
    if request.config.getoption("--update-golden"):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for file, manifest in files.items():
            text = yaml.safe_dump(manifest, sort_keys=False, width=110, allow_unicode=True)
            (folder / file).write_text(text)
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    for file, manifest in files.items():
        assert yaml.safe_load((folder / file).read_text()) == manifest, file


@pytest.mark.parametrize("name", MODEL_CASES)
def test_a_models_children_are_as_the_golden_files_say(name: str, request: pytest.FixtureRequest) -> None:
    spec, around = MODEL_CASES[name]
    made = render_model(MODEL_OWNER, SentimentModelSpec.model_validate(spec), around).apply
    compare_with_golden_files(name, {manifest["kind"]: manifest for manifest in made}, request)


def test_every_kind_of_child_has_a_golden_file() -> None:
    assert {path.name for path in GOLDEN.glob("*/*")} == {file_of(known.kind) for known in CHILDREN}


@pytest.mark.parametrize("name", CASES)
def test_every_child_is_owned_labelled_and_selected_by_what_never_changes(name: str) -> None:
    for manifest in rendered(*CASES[name]).apply:
        meta = manifest["metadata"]
        assert labels(OWNER).items() <= meta["labels"].items()
        retained = manifest["kind"] == "PersistentVolumeClaim" and name == "full"
        assert ("ownerReferences" not in meta) == retained
    made = by_kind(*CASES[name])
    if "Deployment" in made:
        spec = made["Deployment"]["spec"]
        assert spec["selector"] == {"matchLabels": selector(OWNER)}
        assert selector(OWNER).items() <= spec["template"]["metadata"]["labels"].items()


def test_children_share_nothing_by_reference() -> None:
    first, second = rendered(FULL).apply[:2]
    first["metadata"]["labels"]["x"] = "y"
    assert second["metadata"]["labels"] == labels(OWNER)
    assert rendered(FULL).apply[0]["metadata"]["labels"] == labels(OWNER)
    used = rendered(FULL).apply
    for manifest in used:
        manifest["metadata"].clear()
        manifest.get("spec", {}).clear()
    assert rendered(FULL).apply == list(by_kind(FULL).values())


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_no_label_of_the_user_can_break_the_selector(mine: dict[str, str]) -> None:
    spec = SentimentServiceSpec.model_validate({})
    pod = spec.pod.model_copy(update={"labels": {**mine, "app.kubernetes.io/instance": "other"}})
    [made] = [
        child
        for child in render(OWNER, spec.model_copy(update={"pod": pod}), RICH).apply
        if child["kind"] == "Deployment"
    ]
    assert selector(OWNER).items() <= made["spec"]["template"]["metadata"]["labels"].items()


def test_an_unknown_model_leaves_the_pods_as_they_are() -> None:
    found = rendered({"model": {"modelRef": {"name": "x"}}})
    assert "Deployment" not in {manifest["kind"] for manifest in found.apply}
    assert found.keep == {("Deployment", "reviews")}
    assert rendered({}).keep == frozenset()


def test_pods_are_given_what_is_prepared_and_lose_no_model_that_they_serve() -> None:
    tweets, reviews = PREPARED  # the first is the default

    def given(*prepared: PreparedModel, now: tuple[PreparedModel, ...] | None = None) -> str | None:
        """MODELS of the new pods; None where pods stay as they are."""
        made = None if now is None else by_kind(SEVERAL, replace(RICH, models=now))["Deployment"]
        if made:
            made |= {"metadata": {"generation": 1}, "status": {}}
        found = by_kind(SEVERAL, replace(RICH, deployment=made, models=prepared)).get("Deployment")
        env = found["spec"]["template"]["spec"]["containers"][0]["env"] if found else []
        return next((one["value"] for one in env if one["name"] == "MODELS"), None)

    alone, both = "tweets=/models/tweets/1122334455", "reviews=/models/reviews/0a1b2c3d4e"
    both = f"{alone},{both}"
    assert given() is given(reviews) is None, "not without the default one"
    assert given(tweets) == alone
    assert given(tweets, now=(tweets,)) == alone
    assert given(tweets, reviews, now=(tweets,)) == both
    assert given(tweets, now=PREPARED) is None, "what is served now is not taken away"
    newer = replace(reviews, path="ffff")
    assert given(tweets, newer, now=PREPARED) == both.replace("0a1b2c3d4e", "ffff")


def test_pods_are_given_no_package_for_another_engine() -> None:
    model = {"model": {"modelRef": {"name": "reviews-v2"}}}

    def made(wanted: str, engine: str | None) -> bool:
        around = replace(RICH, models=(replace(REVIEWS, engine=engine),))
        return "Deployment" in by_kind({**model, "serving": {"engine": wanted}}, around)

    assert [made(wanted, "torch") for wanted in ("auto", "torch", "openvino")] == [True, True, False]
    assert [made(wanted, None) for wanted in ("auto", "torch", "openvino")] == [True, True, True]


def test_optional_children_need_their_kind() -> None:
    optional = {known.kind for known in CHILDREN if known.optional}
    assert not optional & set(by_kind(AUTOSCALED, BARE))
    assert optional & set(by_kind(AUTOSCALED)) == {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}


def test_an_hpa_asks_for_no_metric_that_nobody_serves() -> None:
    def metrics(around: Surroundings, **scaling: Any) -> list[str]:
        spec = {"autoscaling": {"type": "HPA", **scaling}}
        made = by_kind(spec, around).get("HorizontalPodAutoscaler", {"spec": {"metrics": []}})
        return [metric["type"] for metric in made["spec"]["metrics"]]

    with_metrics = Surroundings("image:1", frozenset({CUSTOM_METRICS}))
    assert metrics(BARE) == ["Resource"]
    assert metrics(with_metrics) == ["Resource", "Pods"]
    assert metrics(with_metrics, targetCPUUtilizationPercent=0) == ["Pods"]
    assert metrics(with_metrics, targetActiveRequestsPerPod=0) == ["Resource"]
    assert metrics(BARE, targetCPUUtilizationPercent=0) == []


def test_a_budget_is_made_where_pods_can_move() -> None:
    many = {"storage": {"accessMode": "ReadWriteMany"}}
    cases: list[tuple[dict[str, Any], bool]] = [
        ({**many, "replicas": 2}, True),
        ({**many, "replicas": 1}, False),
        (many, False),
        ({"replicas": 2}, False),
        ({**many, "autoscaling": {"type": "HPA"}}, True),
        ({**many, "replicas": 2, "availability": {"podDisruptionBudget": {"policy": "Never"}}}, False),
        ({"availability": {"podDisruptionBudget": {"policy": "Always"}}}, True),
    ]
    for spec, wanted in cases:
        assert ("PodDisruptionBudget" in by_kind(spec)) == wanted, spec


def test_pods_stay_on_the_node_of_a_volume_that_only_one_can_mount() -> None:
    def affinity(**spec: Any) -> dict[str, Any]:
        pod = by_kind(spec)["Deployment"]["spec"]["template"]["spec"]
        found: dict[str, Any] = pod.get("affinity", {})
        return found

    many = {"accessMode": "ReadWriteMany"}
    assert set(affinity()) == {"podAffinity"}
    assert set(affinity(storage=many)) == {"podAntiAffinity"}
    assert affinity(storage=many, availability={"antiAffinity": "None"}) == {}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("a/b:1.2", "1.2"),
        ("host:5000/a", None),
        ("host:5000/a:v1", "v1"),
        ("a@sha256:" + "0" * 64, None),
        ("a:x@sha256:" + "0" * 64, None),
        ("a:ends_", None),
    ],
)
def test_the_version_is_the_images_tag(image: str, label: str | None) -> None:
    assert version(image).get("app.kubernetes.io/version") == label


def test_the_dashboard_is_json_with_a_panel_for_every_place() -> None:
    [text] = by_kind(AUTOSCALED)["ConfigMap"]["data"].values()
    panels = json.loads(text)["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(panels)
    assert all(target["expr"] for panel in panels if panel["type"] != "row" for target in panel["targets"])
