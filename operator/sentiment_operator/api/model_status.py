"""The status of a SentimentModel, and its columns."""

from .schema import CONDITIONS, GENERATION, Column, Json

# In the order in which a model goes through them; Failed is an end, like Ready.
PHASES = (
    "Pending",
    "Resolving",
    "Fetching",
    "Converting",
    "Pruning",
    "Judging",
    "Packaging",
    "Ready",
    "Failed",
)


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _number(description: str) -> Json:
    return {"type": "number", "description": description}


def _integer(description: str) -> Json:
    return {"type": "integer", "format": "int64", "description": description}


def _interval(of: str) -> Json:
    return {"type": "array", "items": {"type": "number"}, "description": f"95 % interval of {of}: from, to."}


def _scores() -> Json:
    return {
        "accuracyPercent": _number("Accuracy on the judged texts."),
        "accuracyInterval": _interval("it"),
        "macroF1Percent": _number("Macro F1 on the judged texts."),
        "calibrationErrorPercent": _number("Expected calibration error."),
    }


_ATTEMPT: Json = {
    "type": "object",
    "required": ["precision"],
    "properties": {
        "precision": _text("What was tried."),
        **_scores(),
        "dropPoints": _number("Percentage points of accuracy lost against fp32."),
        "dropInterval": _interval("it"),
        "milliseconds": _number("Median time of a text of 32 tokens, where the Job ran."),
        "speedup": _number("How many times as fast as the whole model in fp32."),
        "speedupPerPoint": _number(
            "Speed gained for each point of accuracy lost; absent when none was lost."
        ),
        "refused": _text("Why the gate refused it; absent when it passed."),
    },
}

PACKAGE: Json = {
    "type": "object",
    "description": "The package that services mount; it stays while a new one is made.",
    "required": ["path"],
    "properties": {
        "path": _text("Folder in the volume; another wish makes another folder."),
        "volume": _text("The uid of the claim."),
        "name": _text("Name in the package."),
        "digest": _text("SHA-256 over the digests of the package's files."),
        "shortDigest": _text("The first twelve digits of it."),
        "revision": _text("Commit or digest that names the source's content for good."),
        "engine": _text("Engine of the services that it is for."),
        "precision": _text("Precision that passed the gate; absent for torch, where the device decides."),
        "bytes": _integer("Size."),
        "size": _text("The same for people."),
        "accuracyPercent": _number("Accuracy on the judged texts."),
        "accuracyBeforePercent": _number("The same in fp32."),
        "before": {
            "type": "object",
            "properties": _scores(),
            "description": "The whole model in fp32, which all that was tried is compared with.",
        },
        "attempts": {
            "type": "array",
            "items": _ATTEMPT,
            "description": "All precisions that were tried.",
        },
    },
}

MODEL_STATUS: Json = {
    "type": "object",
    "description": "What the operator saw last.",
    "properties": {
        "observedGeneration": {
            **GENERATION,
            "description": "Generation of the spec that this status speaks of.",
        },
        "conditions": {**CONDITIONS, "description": "How the model is, by type."},
        "phase": {**_text("Where the preparation of the wanted package is."), "enum": list(PHASES)},
        "progress": _integer("Percent of it that is done."),
        "job": _text("The Job that prepares the wanted package."),
        "claim": _text("The claim that holds the packages."),
        "package": PACKAGE,
        "consumers": _integer("Number of SentimentServices that use the model."),
        "usedBy": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Their names, the first hundred.",
        },
    },
}

MODEL_COLUMNS: list[Column] = [
    ("Phase", "string", ".status.phase", 0),
    ("Progress", "integer", ".status.progress", 0),
    ("Engine", "string", ".status.package.engine", 0),
    ("Precision", "string", ".status.package.precision", 0),
    ("Size", "string", ".status.package.size", 0),
    ("Accuracy", "number", ".status.package.accuracyPercent", 0),
    ("Digest", "string", ".status.package.shortDigest", 0),
    ("Consumers", "integer", ".status.consumers", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
]
