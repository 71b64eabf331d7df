"""The packages of SentimentModels in pods: where they are mounted, and when pods stay as they are."""

from collections.abc import Sequence

from ..api.v1alpha1 import SentimentServiceSpec
from .metadata import model_label
from .scheduling import cannot_spread
from .surroundings import Manifest, PreparedModel

MODELS = "/models"


def volume_name(called: str) -> str:
    """Name of the volume of a model."""
    return f"model-{called}" if called else "models"


def folder(called: str) -> str:
    """Where that volume is mounted."""
    return f"{MODELS}/{called}" if called else MODELS


def model_settings(models: Sequence[PreparedModel]) -> dict[str, str]:
    """The variable that tells the server what it serves."""
    paths = {model.called: f"{folder(model.called)}/{model.path}" for model in models}
    if "" in paths:
        return {"MODEL_DIR": paths[""]}
    return {"MODELS": ",".join(f"{called}={path}" for called, path in paths.items())}


def model_volumes(models: Sequence[PreparedModel]) -> list[Manifest]:
    """A claim for each model."""
    return [
        {"name": volume_name(model.called), "persistentVolumeClaim": {"claimName": model.claim}}
        for model in models
    ]


def model_mounts(models: Sequence[PreparedModel]) -> list[Manifest]:
    """Each claim whole, so that the kubelet keeps it and the server sees what is in it."""
    return [
        {"name": volume_name(model.called), "mountPath": folder(model.called), "readOnly": True}
        for model in models
    ]


def model_labels(models: Sequence[PreparedModel]) -> dict[str, str]:
    """What pods are found by that mount a model."""
    return {model_label(model.name): model.path for model in models}


def other_engine(spec: SentimentServiceSpec, models: Sequence[PreparedModel]) -> PreparedModel | None:
    """The first package that is for another engine than the one that the spec names."""
    fitting = (spec.serving.engine, None)
    wanted = () if spec.serving.engine == "auto" else models
    return next((model for model in wanted if model.engine not in fitting), None)


def pods_stay(
    spec: SentimentServiceSpec, models: Sequence[PreparedModel], deployment: Manifest | None
) -> bool:
    """Whether pods are left as they are: a package is missing, of the default model or of one that they
    serve, one is for another engine, or pods must spread and can't. Any other model may come later.
    """
    there = {model.called for model in models}
    template = deployment["spec"]["template"]["spec"] if deployment else {}
    served = {volume["name"] for volume in template.get("volumes", ())}
    needed = spec.references[:1] + tuple(one for one in spec.references if volume_name(one.called) in served)
    missing = any(one.called not in there for one in needed)
    return missing or other_engine(spec, models) is not None or cannot_spread(spec, models)
