"""What the watches saw last: objects by kind and name, and by the SentimentService they belong to.

Objects are kept as JSON text, without what no check reads: Python dicts take several times the memory.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from ..api.v1alpha1 import API_VERSION, KIND
from ..render.metadata import INSTANCE, MANAGED_BY, MANAGER

Manifest = dict[str, Any]
Key = tuple[str, str]  # namespace, name of a SentimentService
_Place = tuple[str, str, str]  # kind, namespace, name
_TOMBSTONES = 4096
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Held(NamedTuple):
    uid: str
    version: int
    keys: frozenset[Key]
    text: bytes


def key_of(obj: Manifest) -> Key | None:
    """The SentimentService that an object is, is owned by, or is labelled with."""
    meta = obj["metadata"]
    if obj["kind"] == KIND:
        return meta["namespace"], meta["name"]
    for reference in meta.get("ownerReferences", ()):
        if reference["kind"] == KIND and reference["apiVersion"] == API_VERSION:
            return meta["namespace"], reference["name"]
    labels = meta.get("labels") or {}
    if labels.get(MANAGED_BY) == MANAGER and INSTANCE in labels:
        return meta["namespace"], labels[INSTANCE]
    return None


class Store:
    """Lives in one event loop. What it gives out is the caller's own."""

    def __init__(self) -> None:
        self._objects: dict[_Place, _Held] = {}
        self._places: dict[Key, set[_Place]] = defaultdict(set)
        # uid → version: a late answer must not bring back what was deleted, but what only left the watch's
        # selector (someone took our labels off) is as old as its "deletion", and may return.
        self._deleted: OrderedDict[str, int] = OrderedDict()

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object as last seen."""
        held = self._objects.get((kind, namespace, name))
        return orjson.loads(held.text) if held else None

    def of(self, key: Key, kind: str) -> list[Manifest]:
        """The objects of one kind that belong to a SentimentService, by name."""
        places = sorted(place for place in self._places.get(key, ()) if place[0] == kind)
        return [orjson.loads(self._objects[place].text) for place in places]

    def names(self) -> set[Key]:
        """Every SentimentService."""
        return {(namespace, name) for kind, namespace, name in self._objects if kind == KIND}

    def services(self) -> Iterator[Manifest]:
        """Every SentimentService as last seen."""
        return (orjson.loads(held.text) for place, held in self._objects.items() if place[0] == KIND)

    def put(self, obj: Manifest) -> frozenset[Key]:
        """Remember an object; the keys that it concerns, none if this version or a newer one is known.

        An object that lost its labels and its owner still concerns the key that it had.
        """
        place, uid, version = _place(obj), obj["metadata"]["uid"], int(obj["metadata"]["resourceVersion"])
        known = self._objects.get(place)
        if version < self._deleted.get(uid, 0) or (known and known.uid == uid and known.version >= version):
            return frozenset()
        key = key_of(obj)
        keys = (known.keys if known else frozenset()) | ({key} if key else frozenset())
        if keys:
            self._objects[place] = _Held(uid, version, keys, orjson.dumps(_trimmed(obj)))
            for one in keys:
                self._places[one].add(place)
        return keys

    def drop(self, obj: Manifest) -> frozenset[Key]:
        """Forget a deleted object, unless another one bears its name by now; the keys that it concerned."""
        place, uid = _place(obj), obj["metadata"]["uid"]
        self._deleted[uid] = int(obj["metadata"]["resourceVersion"])
        if len(self._deleted) > _TOMBSTONES:
            self._deleted.popitem(last=False)
        known = self._objects.get(place)
        if known and known.uid == uid:
            return self._forget(place)
        key = key_of(obj)
        return frozenset({key} if key else ())

    def keep_only(
        self, kind: str, namespace: str | None, names: set[tuple[str, str]], version: int
    ) -> frozenset[Key]:
        """Forget what a list of that version lacks, unless it was seen later; the keys concerned."""
        missed = [
            place
            for place, held in self._objects.items()
            if place[0] == kind
            and namespace in (None, place[1])
            and place[1:] not in names
            # Comparable as integers by contract: KEP-5504, Kubernetes 1.35.
            and held.version <= version
        ]
        return frozenset().union(*[self._forget(place) for place in missed])

    def _forget(self, place: _Place) -> frozenset[Key]:
        keys = self._objects.pop(place).keys
        for key in keys:
            self._places[key].discard(place)
            if not self._places[key]:
                del self._places[key]
        return keys


def _trimmed(obj: Manifest) -> Manifest:
    """An object without what nothing here reads."""
    meta = dict(obj["metadata"])
    managers = meta.pop("managedFields", ())
    if obj["kind"] not in (KIND, "Pod") and (kept := [slim for one in managers if (slim := _slim(one))]):
        meta["managedFields"] = kept
    if _LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {k: v for k, v in meta["annotations"].items() if k != _LAST_APPLIED}
    rest = {name: value for name, value in obj.items() if obj["kind"] != "Pod" or name != "spec"}
    return {**rest, "metadata": meta}


def _slim(entry: Manifest) -> Manifest | None:
    """Who owns which fields: ours wholly, of others only whether they hold the number of replicas."""
    if entry["manager"] == MANAGER and entry["operation"] == "Apply" and not entry.get("subresource"):
        return entry
    if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}):
        return {**entry, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    return None


def _place(obj: Manifest) -> _Place:
    return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]
