"""What a render needs to know of the cluster, and what it gives back."""

from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class PreparedModel:
    """A package in the volume of a SentimentModel."""

    # By which requests choose it; empty for the only one, of spec.model.
    called: str
    name: str
    claim: str
    path: str
    # ReadWriteOnce: all pods that mount the volume run on one node.
    one_node: bool
    # That runs it; None: not known.
    engine: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """The cluster as a pass over a SentimentService sees it."""

    # What the pods run when the spec names no image.
    service_image: str
    # What the cluster offers; the words are those of api.kinds.
    apis: frozenset[str] = frozenset()
    # The Deployment as the API server holds it; None only if there is none (not: if it was not seen yet).
    deployment: Manifest | None = None
    # What the spec refers to and has a package, the default one first.
    models: tuple[PreparedModel, ...] = ()


@dataclass(frozen=True)
class ModelSurroundings:
    """The cluster as a pass over a SentimentModel sees it."""

    # What the Job runs when the spec names no image.
    image: str
    apis: frozenset[str] = frozenset()
    # The claim, when it can be used; its uid is part of a package's name.
    claim: Manifest | None = None
    jobs: tuple[Manifest, ...] = ()
    # Folder of the package that services are given; the folders that pods mount, whichever these are.
    package: str | None = None
    used: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Children:
    """What to apply, in this order, and what to leave as it is; everything else that is owned goes."""

    apply: list[Manifest]
    # (kind, name)
    keep: frozenset[tuple[str, str]] = field(default_factory=frozenset)
