"""What the watches saw last: objects by kind and name, and by the service or model they belong to.

Objects are kept as JSON text, without what no check reads: Python dicts take several times the memory.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from ..api.v1alpha1 import API_VERSION, KIND, MODEL_KIND
from ..render.metadata import INSTANCE, MANAGED_BY, MANAGER, NAME, NAMES, mounted_packages

Manifest = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name of a service or model
_Place = tuple[str, str, str]  # kind, namespace, name
_TOMBSTONES = 4096
_OWNERS = (KIND, MODEL_KIND)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Held(NamedTuple):
    uid: str
    version: int
    generation: int | None
    keys: frozenset[Key]
    text: bytes


def key_of(obj: Manifest) -> Key | None:
    """The service or model that an object is, is owned by, or is labelled with."""
    meta = obj["metadata"]
    if obj["kind"] in _OWNERS:
        return obj["kind"], meta["namespace"], meta["name"]
    for reference in meta.get("ownerReferences", ()):
        if reference["kind"] in _OWNERS and reference["apiVersion"] == API_VERSION:
            return reference["kind"], meta["namespace"], reference["name"]
    labels = meta.get("labels") or {}
    if labels.get(MANAGED_BY) == MANAGER and INSTANCE in labels:
        kind = next((kind for kind, name in NAMES.items() if labels.get(NAME) == name), KIND)
        return kind, meta["namespace"], labels[INSTANCE]
    return None


def models_of(obj: Manifest) -> frozenset[Key]:
    """The models that a SentimentService refers to, a pod mounts, or a Deployment's pods mount."""
    spec = obj.get("spec", {})
    if obj["kind"] == KIND:
        given = [spec.get("model", {}), *spec.get("models", ())]
        names = [one["modelRef"]["name"] for one in given if "modelRef" in one]
    else:
        names = list(packages_of(obj))
    return frozenset((MODEL_KIND, obj["metadata"]["namespace"], name) for name in names)


def packages_of(obj: Manifest) -> dict[str, str]:
    """SentimentModel → package, of what a pod mounts, or a Deployment's pods."""
    if obj["kind"] == "Deployment":
        return mounted_packages(obj.get("spec", {}).get("template", {}).get("metadata", {}))
    return mounted_packages(obj["metadata"]) if obj["kind"] == "Pod" else {}


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
        """The objects of one kind that belong to a service or model, by name."""
        places = sorted(place for place in self._places.get(key, ()) if place[0] == kind)
        return [orjson.loads(self._objects[place].text) for place in places]

    def names(self) -> set[Key]:
        """Every service and model."""
        return {place for place in self._objects if place[0] in _OWNERS}

    def owners(self) -> Iterator[Manifest]:
        """Every service and model as last seen."""
        return (orjson.loads(self._objects[place].text) for place in self.names())

    def consumers(self, model: Key) -> list[Manifest]:
        """The services that refer to a model, by name."""
        return self.of(model, KIND)

    def is_news(self, obj: Manifest) -> bool:
        """Whether a pass is wanted at once: for a new SentimentService or spec, and whatever a model tells.

        What else changes of a SentimentService, mostly the status that a pass wrote, can wait.
        """
        if obj["kind"] != KIND:
            return bool(obj["kind"] == MODEL_KIND)
        known, meta = self._objects.get(_place(obj)), obj["metadata"]
        return known is None or (known.uid, known.generation) != (meta["uid"], meta["generation"])

    def put(self, obj: Manifest) -> frozenset[Key]:
        """Remember an object; the keys that it concerns, none if this version or a newer one is known.

        An object that lost its labels and its owner still concerns the key that it had. A service concerns
        its models too, and a model the services that refer to it.
        """
        place, uid, version = _place(obj), obj["metadata"]["uid"], int(obj["metadata"]["resourceVersion"])
        known = self._objects.get(place)
        if version < self._deleted.get(uid, 0) or (known and known.uid == uid and known.version >= version):
            return frozenset()
        before = known.keys if known else frozenset()
        named = _keys(obj)
        keys = before | named
        if keys:
            # A service that refers to another model now is of no concern to the one before.
            held = named if obj["kind"] in _OWNERS else keys
            generation = obj["metadata"].get("generation")
            self._leave(place, before - held)
            self._objects[place] = _Held(uid, version, generation, held, orjson.dumps(_trimmed(obj)))
            for one in held:
                self._places[one].add(place)
        return keys | self._dependents(place)

    def drop(self, obj: Manifest) -> frozenset[Key]:
        """Forget a deleted object, unless another one bears its name by now; the keys that it concerned."""
        place, uid = _place(obj), obj["metadata"]["uid"]
        self._deleted[uid] = int(obj["metadata"]["resourceVersion"])
        if len(self._deleted) > _TOMBSTONES:
            self._deleted.popitem(last=False)
        known = self._objects.get(place)
        if known and known.uid == uid:
            return self._forget(place)
        return _keys(obj)

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

    def _dependents(self, place: _Place) -> frozenset[Key]:
        """The services that refer to an object, if it is a model."""
        places = self._places.get(place, ()) if place[0] == MODEL_KIND else ()
        return frozenset(one for one in places if one[0] == KIND)

    def _forget(self, place: _Place) -> frozenset[Key]:
        dependents = self._dependents(place)
        keys = self._objects.pop(place).keys
        self._leave(place, keys)
        return keys | dependents

    def _leave(self, place: _Place, keys: frozenset[Key]) -> None:
        for key in keys:
            self._places[key].discard(place)
            if not self._places[key]:
                del self._places[key]


def _keys(obj: Manifest) -> frozenset[Key]:
    own = key_of(obj)
    return models_of(obj) | ({own} if own else frozenset())


def _trimmed(obj: Manifest) -> Manifest:
    """An object without what nothing here reads."""
    meta = dict(obj["metadata"])
    managers = meta.pop("managedFields", ())
    if obj["kind"] not in (*_OWNERS, "Pod") and (kept := [slim for one in managers if (slim := _slim(one))]):
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
