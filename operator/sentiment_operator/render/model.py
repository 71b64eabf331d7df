"""All children of a SentimentModel: a claim, and the Job of the wanted package."""

from ..api.kinds import IMAGE_VOLUME
from ..api.v1alpha1 import Owner, SentimentModelSpec
from .job import TEMPLATE, image_of, job, job_name, wish_of
from .persistent_volume_claim import persistent_volume_claim
from .surroundings import Children, Manifest, ModelSurroundings


def wanted_package(spec: SentimentModelSpec, around: ModelSurroundings) -> str | None:
    """Folder of the package that the spec asks for; None while there is no volume for it."""
    if around.claim is None:
        return None
    return wish_of(spec, image_of(spec, around.image), around.claim["metadata"]["uid"])


def volume_missing(spec: SentimentModelSpec, around: ModelSurroundings) -> bool:
    """Whether the source needs image volumes, and the cluster has none."""
    return spec.source.oci is not None and IMAGE_VOLUME not in around.apis


def render_model(owner: Owner, spec: SentimentModelSpec, around: ModelSurroundings) -> Children:
    """The claim first; the Job when it is there. A Job that has ended well is never made again."""
    claim = persistent_volume_claim(owner, spec)
    jobs = {found["metadata"]["name"]: found for found in around.jobs}
    wish = wanted_package(spec, around)
    if wish is None or volume_missing(spec, around):
        return Children([claim], frozenset(("Job", name) for name in jobs))
    stay = {around.package} if around.package else set()
    made = job(owner, spec, image_of(spec, around.image), wish, sorted((stay | around.used) - {wish}))
    there = jobs.get(made["metadata"]["name"])
    if there is None:
        return Children([claim, made], _jobs(owner, stay, jobs))
    if complete(there):
        return Children([claim], frozenset({("Job", made["metadata"]["name"])}))
    if _template(there) != _template(made):
        # It goes now, and the next pass makes it anew.
        return Children([claim], _jobs(owner, stay - {wish}, jobs))
    return Children([claim], _jobs(owner, stay | {wish}, jobs))


def complete(made: Manifest) -> bool:
    """Whether a Job has ended well."""
    return any(
        condition["type"] == "Complete" and condition["status"] == "True"
        for condition in made.get("status", {}).get("conditions", ())
    )


def _jobs(owner: Owner, packages: set[str], jobs: dict[str, Manifest]) -> frozenset[tuple[str, str]]:
    names = {job_name(owner, package) for package in packages}
    return frozenset(("Job", name) for name in names & jobs.keys())


def _template(made: Manifest) -> str:
    return str((made["metadata"].get("annotations") or {}).get(TEMPLATE))
