"""SentimentServices: what a pass knows of one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..api.kinds import CHILDREN
from ..api.v1alpha1 import MODEL_KIND, Owner, Reference, SentimentServiceSpec
from ..render import Children, PreparedModel, Surroundings, render
from ..render.persistent_volume_claim import claim_name
from .conditions import Finding, Observed
from .ownership import is_ours
from .status import compute_status
from .store import Store

Manifest = dict[str, Any]


class Services:
    """The subject of passes over SentimentServices."""

    def __init__(self, store: Store, image: str, apis: Callable[[], frozenset[str]]) -> None:
        """image: of services whose spec names none; apis: what the cluster offers now (api.kinds)."""
        self._store = store
        self._image = image
        self._apis = apis

    def parse(self, spec: Manifest) -> SentimentServiceSpec:
        """The typed spec; raises ValidationError."""
        return SentimentServiceSpec.model_validate(spec)

    def render(self, owner: Owner, spec: SentimentServiceSpec, _: Manifest) -> Children:
        """All children."""
        made = self._store.get("Deployment", owner.namespace, owner.name)
        prepared = prepared_models(spec.references, self._models(owner, spec))
        return render(owner, spec, Surroundings(self._image, self._apis(), made, prepared))

    async def status(
        self,
        owner: Owner,
        spec: SentimentServiceSpec | None,
        wanted: Manifest,
        problems: list[Finding],
        now: str,
    ) -> Manifest:
        """The whole status."""
        key = (owner.kind, owner.namespace, owner.name)
        mine = [
            child for known in CHILDREN for child in self._store.of(key, known.kind) if is_ours(owner, child)
        ]
        models = self._models(owner, spec) if spec else {}
        seen = Observed(
            spec=spec,
            children={child["kind"]: child for child in mine},
            pods=self._store.of(key, "Pod"),
            problems=problems,
            apis=self._apis(),
            models=models,
            prepared=prepared_models(spec.references, models) if spec else (),
        )
        return compute_status(owner, wanted["metadata"]["generation"], seen, wanted.get("status", {}), now)

    def again(self, owner: Owner, spec: SentimentServiceSpec) -> float | None:  # noqa: ARG002
        """All that matters sends events."""
        return None

    def concerns_others(self, before: Manifest, after: Manifest) -> bool:  # noqa: ARG002
        """Nobody reads it."""
        return False

    def _models(self, owner: Owner, spec: SentimentServiceSpec) -> dict[str, Manifest]:
        found = {name: self._store.get(MODEL_KIND, owner.namespace, name) for _, name in spec.references}
        return {name: model for name, model in found.items() if model}


def prepared_models(
    references: Sequence[Reference], models: Mapping[str, Manifest]
) -> tuple[PreparedModel, ...]:
    """The packages that SentimentModels have for a service."""
    with_package = [one for one in references if "package" in models.get(one.model, {}).get("status", {})]
    return tuple(_prepared(called, models[name]) for called, name in with_package)


def _prepared(called: str, model: Manifest) -> PreparedModel:
    meta = model["metadata"]
    owner = Owner(kind=MODEL_KIND, name=meta["name"], namespace=meta["namespace"], uid=meta["uid"])
    one_node = model["spec"].get("storage", {}).get("accessMode") != "ReadWriteMany"
    package = model["status"]["package"]
    return PreparedModel(
        called, owner.name, claim_name(owner), package["path"], one_node, package.get("engine")
    )
