"""Where a transition ended, without what no two runs have in common."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sentiment_operator.api.v1alpha1 import KIND, MODEL_KIND

Manifest = dict[str, Any]

_OURS = (KIND, MODEL_KIND)
# What no two runs have in common; everything else must be equal.
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# In names of ReplicaSets; of Jobs too, whose digests go over the uid of a claim.
_HASH = re.compile(r"\bNAME-[0-9a-f]{6,10}\b")
_DIGEST = re.compile(r"\b(?=[a-f]*[0-9])[0-9a-f]{10}\b")
# A dashboard's uid is made from the names, and two runs have different ones.
_DASHBOARD = re.compile(r"ssvc-[0-9a-f-]+")
_SERVER_MADE = ("resourceVersion", "uid", "selfLink")
_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")


@dataclass
class Outcome:
    """Where a transition ended: the objects as masked text, and what was created and deleted on the way."""

    objects: dict[str, Any]
    applied: Counter[tuple[str, ...]] = field(default_factory=Counter)
    writes: int = 0
    # What the API server refused of the children, in the status' words.
    refusal: str = ""

    def differences(self, other: "Outcome", *, counts: bool = True) -> list[str]:
        """Sentences; none when both are the same."""
        found = []
        for name in sorted(self.objects.keys() | other.objects.keys()):
            mine, theirs = self.objects.get(name), other.objects.get(name)
            if mine != theirs:
                found.append(f"{name}: {_first_difference(mine, theirs)}")
        if counts and self.applied != other.applied:
            found.append(f"created and deleted {dict(self.applied)} instead of {dict(other.applied)}")
        return found


def masked(obj: Manifest, name: str, hidden: dict[str, str], exact: bool) -> Any:
    """An object without what differs from run to run; not exact: also without the history of its changes."""
    obj = json.loads(json.dumps(obj))
    meta = obj["metadata"]
    for gone in _SERVER_MADE:
        meta.pop(gone, None)
    if not exact:
        meta.pop("generation", None)
        # How many templates there were before.
        meta.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
        if obj.get("kind") == KIND:
            # Without nodes a roll-out gets stuck, and where depends on where it began.
            obj["status"] = {name: obj.get("status", {}).get(name) for name in ("url", "selector")}
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    if obj.get("kind") not in _OURS:
        obj.pop("status", None)  # written by Kubernetes' controllers
    for gone in _ALLOCATED:
        obj.get("spec", {}).pop(gone, None)
    for port in obj.get("spec", {}).get("ports", ()):
        if isinstance(port, dict):
            port.pop("nodePort", None)
    entries = meta.pop("managedFields", [])
    # Who owns which fields is part of the outcome, as far as it is ours.
    meta["managedFields"] = {
        f"{entry['operation']} {entry.get('subresource')}": entry["fieldsV1"]
        for entry in entries
        if entry["manager"] == "sentiment-operator"
    }
    text = json.dumps(obj, sort_keys=True)
    for what, word in hidden.items():
        text = text.replace(what, word)
    text = re.sub(rf"\b{re.escape(name)}\b", "NAME", text)
    for pattern, word in (
        (_TIMES, "TIME"),
        (_DASHBOARD, "DASHBOARD"),
        (_UIDS, "UID"),
        (_HASH, "NAME-HASH"),
    ):
        text = pattern.sub(word, text)
    return json.loads(_DIGEST.sub("DIGEST", text) if "SentimentModel" in text else text)


def masked_name(text: str, name: str) -> str:
    """A child's name, the same for each owner."""
    return _HASH.sub("NAME-HASH", text.replace(name, "NAME"))


def without_number(deployment: Manifest) -> None:
    """An autoscaler begins with the number that it finds."""
    deployment["spec"].pop("replicas", None)
    for fields in deployment["metadata"]["managedFields"].values():
        fields.get("f:spec", {}).pop("f:replicas", None)


def _first_difference(one: Any, other: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                return _first_difference(one.get(name), other.get(name), f"{path}.{name}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            if mine != theirs:
                return _first_difference(mine, theirs, f"{path}[{index}]")
    return f"{path or 'the whole object'}: {str(one)[:600]} instead of {str(other)[:600]}"
