from sentiment_operator.api.v1alpha1 import KIND
from sentiment_operator.reconcile.store import Store

from .objects import child, pod, service

KEY = ("shop", "reviews")


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
    assert store.replace("Service", [child("Service")], None) == {KEY}
    assert [found["metadata"]["name"] for found in store.of(KEY, "Service")] == ["reviews"]
    assert store.replace("Service", [child("Service")], None) == set()
    assert store.replace("Service", [], "elsewhere") == set()
