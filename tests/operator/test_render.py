"""Every rendered object against its golden file: `pytest tests/operator --update-golden` writes them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.render import Surroundings, render
from sentiment_operator.render.metadata import labels

from .objects import OWNER

AROUND = Surroundings("image:1")

GOLDEN = Path(__file__).parent / "golden"
SPECS: dict[str, dict[str, Any]] = {
    "default": {},
    "full": {
        "image": {"reference": "mirror/service:2", "pullPolicy": "Always", "pullSecrets": ["mirror"]},
        "replicas": 3,
        "resources": {
            "requests": {"cpu": "1", "memory": "512Mi"},
            "limits": {"cpu": "2", "memory": "2Gi"},
        },
        "serving": {
            "logLevel": "DEBUG",
            "maxTextLength": 2000,
            "maxBatchItems": 100,
            "requestTimeoutSeconds": 5,
            "idleUnloadSeconds": 600,
            "warmUp": True,
            "logPreviewChars": 0,
        },
        "storage": {"size": "5Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany", "retain": True},
    },
}


@pytest.mark.parametrize("name", SPECS)
def test_children_are_as_the_golden_files_say(name: str, request: pytest.FixtureRequest) -> None:
    spec = SentimentServiceSpec.model_validate(SPECS[name])
    rendered = {
        f"{re.sub('(?<!^)(?=[A-Z])', '-', manifest['kind']).lower()}.yaml": manifest
        for manifest in render(OWNER, spec, Surroundings("sentiment-operator/service:1")).apply
    }
    folder = GOLDEN / name
    if request.config.getoption("--update-golden"):
        folder.mkdir(parents=True, exist_ok=True)
        for file, manifest in rendered.items():
            (folder / file).write_text(yaml.safe_dump(manifest, sort_keys=False, width=110))
    assert sorted(path.name for path in folder.iterdir()) == sorted(rendered)
    for file, manifest in rendered.items():
        assert yaml.safe_load((folder / file).read_text()) == manifest, file


def test_children_share_nothing_by_reference() -> None:
    spec = SentimentServiceSpec.model_validate({})
    first, second, _ = render(OWNER, spec, AROUND).apply
    first["metadata"]["labels"]["x"] = "y"
    assert second["metadata"]["labels"] == labels(OWNER)
    assert render(OWNER, spec, AROUND).apply[0]["metadata"]["labels"] == labels(OWNER)
