from typing import Any

from sentiment_operator.api.v1alpha1 import KIND, MODEL_KIND
from sentiment_operator.reconcile.store import Store, packages_of
from sentiment_operator.render.metadata import NAME

from .objects import child, pod, service

KEY = (KIND, "shop", "reviews")


def test_objects_are_found_by_the_service_they_belong_to() -> None:
    store = Store()
    for obj in (service(), child("Service"), pod()):
        assert store.put(obj) == {KEY}
    assert [found["kind"] for found in store.of(KEY, "Service")] == ["Service"]
    assert store.put(pod(labelled=False, name="stranger")) == set()
    [seen] = store.of(KEY, "Pod")
    assert "managedFields" not in seen["metadata"]


def test_an_older_version_changes_nothing() -> None:
    store = Store()
    store.put(child("Service", version=10))
    store.put(child("Service", version=9, spec={"old": True}))
    assert store.get("Service", "shop", "reviews") == child("Service", version=10)


def test_an_object_that_lost_its_owner_still_concerns_it() -> None:
    store = Store()
    store.put(child("Service", version=1))
    orphan = child("Service", version=2)
    del orphan["metadata"]["ownerReferences"]
    assert store.put(orphan) == {KEY}
    assert store.of(KEY, "Service") == [orphan]


def test_the_deletion_of_a_namesake_is_not_ours() -> None:
    store = Store()
    store.put(service(version=5, uid="new"))
    store.drop(service(version=4, uid="old"))
    assert store.get(KIND, "shop", "reviews") is not None
    store.drop(service(version=6, uid="new"))
    assert store.get(KIND, "shop", "reviews") is None
    assert store.of(KEY, KIND) == []


def test_a_fresh_list_tells_of_missed_deletions() -> None:
    store = Store()
    store.put(child("Service"))
    store.put(child("Service", name="other", uid="c2"))
    assert store.keep_only("Service", "elsewhere", set(), 5) == set()
    assert store.keep_only("Service", None, {("shop", "reviews")}, 5) == {KEY}
    assert [found["metadata"]["name"] for found in store.of(KEY, "Service")] == ["reviews"]


def test_a_list_older_than_what_was_seen_forgets_nothing() -> None:
    store = Store()
    store.put(child("Service", version=7))
    assert store.keep_only("Service", None, set(), 6) == set()
    assert store.get("Service", "shop", "reviews")


def test_a_late_answer_does_not_bring_a_deleted_object_back() -> None:
    store = Store()
    store.put(child("Service", version=1))
    assert store.drop(child("Service", version=3)) == {KEY}
    assert store.put(child("Service", version=2)) == set()
    assert store.get("Service", "shop", "reviews") is None
    assert store.put(child("Service", version=4, uid="c2")) == {KEY}


def test_what_left_the_selector_of_the_watch_may_return() -> None:
    store = Store()
    store.put(child("Service", version=1))
    store.drop(child("Service", version=2))
    assert store.put(child("Service", version=1)) == set()
    assert store.put(child("Service", version=2)) == {KEY}


def test_what_is_known_already_concerns_nobody() -> None:
    store = Store()
    assert store.put(child("Service")) == {KEY}
    assert store.put(child("Service")) == set()


def test_what_nobody_reads_is_not_kept() -> None:
    store = Store()
    mine = {"manager": "sentiment-operator", "operation": "Apply", "fieldsV1": {}}
    scaler = {"manager": "hpa", "operation": "Update", "subresource": "scale"}
    scaler["fieldsV1"] = {"f:spec": {"f:replicas": {}, "f:paused": {}}}  # type: ignore[assignment]
    managers = [
        mine,
        {"manager": "kubectl", "operation": "Update"},
        {**mine, "subresource": "status"},
        scaler,
    ]
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "kept"}
    made = child("Service")
    made["metadata"] |= {"managedFields": managers, "annotations": applied}
    store.put(made)
    [seen] = store.of(KEY, "Service")
    # Who else owns the number of replicas decides who may set it.
    assert seen["metadata"]["managedFields"] == [mine, {**scaler, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    assert seen["metadata"]["annotations"] == {"note": "kept"}


def refers(name: str | None, version: int = 1) -> dict[str, Any]:
    made = service(version=version)
    made["spec"] = {"model": {"modelRef": {"name": name}}} if name else {}
    return made


def model(name: str, version: int = 1) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop", "uid": f"m-{name}", "resourceVersion": str(version)}
    return {"kind": MODEL_KIND, "metadata": meta, "spec": {}}


def test_a_service_concerns_its_model_and_a_model_its_services() -> None:
    store, mine, other = Store(), (MODEL_KIND, "shop", "m"), (MODEL_KIND, "shop", "n")
    assert store.put(refers("m")) == {KEY, mine}
    assert store.put(model("m")) == {mine, KEY}
    assert store.put(model("n")) == {other}
    assert store.consumers(mine) == [refers("m")]
    # Both models learn of the change; only the new one is told of later ones by the services' list.
    assert store.put(refers("n", version=2)) == {KEY, mine, other}
    assert (store.consumers(mine), len(store.consumers(other))) == ([], 1)
    assert store.put(model("m", version=2)) == {mine}
    assert store.drop(model("n", version=3)) == {other, KEY}
    assert store.drop(refers("n", version=4)) >= {KEY, other}
    assert store.consumers(other) == []


def test_a_service_concerns_each_of_its_models_and_they_know_who_mounts_them() -> None:
    store, both = Store(), {(MODEL_KIND, "shop", "m"), (MODEL_KIND, "shop", "n")}
    made = service()
    made["spec"] = {"models": [{"name": name, "modelRef": {"name": name}} for name in ("m", "n")]}
    assert store.put(made) == {KEY, *both}
    assert store.put(model("n")) == {(MODEL_KIND, "shop", "n"), KEY}
    labels = {"model.sentiment-operator.io/m": "0a", "model.sentiment-operator.io/n": "0b"}
    mounts = child("Deployment", spec={"template": {"metadata": {"labels": labels}}})
    running = pod()
    running["metadata"]["labels"] |= labels
    for user in (mounts, running):
        assert store.put(user) == {KEY, *both}
        assert packages_of(user) == {"m": "0a", "n": "0b"}
    # The service leaves them, and its pods are there still.
    assert store.put(refers(None, version=2)) == {KEY, *both}
    for key in both:
        assert store.consumers(key) == []
        assert (len(store.of(key, "Pod")), len(store.of(key, "Deployment"))) == (1, 1)


def test_pods_of_a_models_job_belong_to_the_model() -> None:
    store, made = Store(), pod(name="m-1")
    made["metadata"]["labels"] |= {NAME: "sentiment-model"}
    assert store.put(made) == {(MODEL_KIND, "shop", "reviews")}


def test_only_a_new_spec_is_news() -> None:
    store = Store()
    assert store.is_news(service(version=1))
    store.put(service(version=1))
    assert not store.is_news(service(version=2, replicas=1)), "our own status"
    changed = service(version=3)
    changed["metadata"]["generation"] = 2
    assert store.is_news(changed)
    assert store.is_news(service(version=4, uid="another"))
    assert not store.is_news(child("Deployment"))
