"""What the operator would make of a file, without a cluster."""

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from ..api.kinds import CHILDREN, CUSTOM_METRICS, HPA_TOLERANCE, IMAGE_VOLUME
from ..api.v1alpha1 import API_VERSION, KIND, MODEL_KIND, Owner, SentimentModelSpec, SentimentServiceSpec
from ..reconcile.services import prepared_models
from ..render import ModelSurroundings, Surroundings, render, render_model
from ..render.persistent_volume_claim import claim_name

Manifest = dict[str, Any]
# The API server gives the real one.
UID = "00000000-0000-0000-0000-000000000000"
# A cluster that has every optional kind; where one is missing, what needs it is not made.
_ALL = frozenset(
    {known.kind for known in CHILDREN if known.optional} | {CUSTOM_METRICS, HPA_TOLERANCE, IMAGE_VOLUME}
)


class FileError(Exception):
    """The file can't be rendered; the message says where and why."""


def children_of(text: str, namespace: str, service_image: str, model_image: str) -> Iterator[Manifest]:
    """The children of every service and model in a YAML file; other objects are left out."""
    try:
        documents = [one for one in yaml.safe_load_all(text) if one]
    except yaml.YAMLError as error:
        raise FileError(f"no YAML: {error}") from error
    ours = [one for one in documents if isinstance(one, dict) and one.get("apiVersion") == API_VERSION]
    if not ours:
        raise FileError(f"no {KIND} or {MODEL_KIND} ({API_VERSION}) in it")
    models = {one["metadata"]["name"]: one.get("spec") or {} for one in ours if one.get("kind") == MODEL_KIND}
    for one in ours:
        meta = one["metadata"]
        owner = Owner(
            kind=one["kind"], name=meta["name"], namespace=meta.get("namespace", namespace), uid=UID
        )
        try:
            if one["kind"] == MODEL_KIND:
                yield from _of_model(owner, one.get("spec") or {}, model_image)
            else:
                yield from _of_service(owner, one.get("spec") or {}, service_image, models)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, ("spec", *first["loc"])))
            raise FileError(f"{owner.kind} {owner.name}: {where}: {first['msg']}") from error


def _of_service(owner: Owner, raw: Manifest, image: str, models: dict[str, Manifest]) -> list[Manifest]:
    spec = SentimentServiceSpec.model_validate(raw)
    # As if they were prepared; a volume is as the file says, else as the schema's default.
    there = {
        one.model: {
            "metadata": {"name": one.model, "namespace": owner.namespace, "uid": UID},
            "spec": models.get(one.model, {}),
            "status": {"package": {"path": "PACKAGE"}},
        }
        for one in spec.references
    }
    prepared = prepared_models(spec.references, there)
    return render(owner, spec, Surroundings(image, _ALL, None, prepared)).apply


def _of_model(owner: Owner, raw: Manifest, image: str) -> list[Manifest]:
    spec = SentimentModelSpec.model_validate(raw)
    claim = {"metadata": {"name": claim_name(owner), "uid": UID}}
    return render_model(owner, spec, ModelSurroundings(image, _ALL, claim)).apply
