"""What the watches saw last: objects by kind and name, and by the SentimentService they belong to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from ..api.v1alpha1 import API_VERSION, KIND
from ..render.metadata import INSTANCE, MANAGED_BY, MANAGER

Manifest = dict[str, Any]
Key = tuple[str, str]  # namespace, name of a SentimentService
_Place = tuple[str, str, str]  # kind, namespace, name


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
    """Written by the event loop and by passes in threads; every step is one dict operation."""

    def __init__(self) -> None:
        self._objects: dict[_Place, Manifest] = {}
        self._places: dict[Key, set[_Place]] = defaultdict(set)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object as last seen."""
        return self._objects.get((kind, namespace, name))

    def of(self, key: Key, kind: str) -> list[Manifest]:
        """The objects of one kind that belong to a SentimentService, by name."""
        places = sorted(place for place in tuple(self._places.get(key, ())) if place[0] == kind)
        return [found for place in places if (found := self._objects.get(place))]

    def services(self) -> Iterator[Manifest]:
        """Every SentimentService."""
        return (obj for place, obj in tuple(self._objects.items()) if place[0] == KIND)

    def put(self, obj: Manifest) -> set[Key]:
        """Remember an object unless a newer one is known; the keys that it concerns.

        An object that lost its labels and its owner still concerns the key that it had.
        """
        place = _place(obj)
        known = self._objects.get(place)
        keys = {key for key in (key_of(obj), known and key_of(known)) if key}
        if not keys or (known and _same(known, obj) and _version(known) > _version(obj)):
            return keys
        if obj["kind"] == "Pod":  # many, large, and never compared field by field
            obj = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
        self._objects[place] = obj
        for key in keys:
            self._places[key].add(place)
        return keys

    def drop(self, obj: Manifest) -> set[Key]:
        """Forget an object, unless another one bears its name by now; the keys that it concerned."""
        place = _place(obj)
        known = self._objects.get(place)
        keys = {key for key in (key_of(obj), known and key_of(known)) if key}
        if known and _same(known, obj):
            del self._objects[place]
            for key in keys:
                self._places[key].discard(place)
                if not self._places[key]:
                    del self._places[key]
        return keys

    def replace(self, kind: str, listed: Iterable[Manifest], namespace: str | None) -> set[Key]:
        """Take a fresh list for the truth: deletions that a broken watch missed. The keys concerned."""
        fresh = {_place(obj): obj for obj in listed}
        keys: set[Key] = set()
        for place, known in tuple(self._objects.items()):
            if place[0] == kind and namespace in (None, place[1]) and place not in fresh:
                keys |= self.drop(known)
        for place, obj in fresh.items():
            held = self._objects.get(place)
            if held is None or _version(held) != _version(obj):
                keys |= self.put(obj)
        return keys


def _place(obj: Manifest) -> _Place:
    return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]


def _same(one: Manifest, other: Manifest) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _version(obj: Manifest) -> int:
    # Comparable as integers by contract: KEP-5504, Kubernetes 1.35.
    return int(obj["metadata"]["resourceVersion"])
