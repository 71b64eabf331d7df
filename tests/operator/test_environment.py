"""What the operator sets is what the service reads."""

from typing import Any

import pytest
from sentiment_operator.api.crd import spec_schema
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.api.v1alpha1.pod import OWN_VARIABLES
from sentiment_operator.api.v1alpha1.serving import Serving
from sentiment_operator.render.environment import environment
from sentiment_service.settings import Settings

from .objects import OWNER
from .specs import FULL, PREPARED, SEVERAL


def variables(spec: dict[str, Any]) -> dict[str, Any]:
    made = environment(OWNER, SentimentServiceSpec.model_validate(spec), ())
    return {entry["name"]: entry.get("value") for entry in made}


def test_the_service_reads_several_models() -> None:
    made = environment(OWNER, SentimentServiceSpec.model_validate(SEVERAL), PREPARED)
    [models] = [entry["value"] for entry in made if entry["name"] == "MODELS"]
    packages = Settings(models=models).packages
    assert [(name, str(path)) for name, path in packages.items()] == [
        ("tweets", "/models/tweets/1122334455"),
        ("reviews", "/models/reviews/0a1b2c3d4e"),
    ]


@pytest.mark.parametrize("spec", [{}, FULL], ids=["default", "full"])
def test_the_service_takes_every_setting(spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {entry["name"] for entry in spec.get("pod", {}).get("env", ())}
    ours = {name: value for name, value in variables(spec).items() if name not in mine}
    settings = {name for name in ours if not name.startswith("OTEL_")}
    assert settings <= {name.upper() for name in Settings.model_fields}
    assert set(ours) <= set(OWN_VARIABLES)
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    if spec:
        assert (read.engine, read.workers, read.warm_up) == ("torch", 2, True)
        assert read.cors_origins == spec["serving"]["corsAllowOrigins"]
        assert read.root_path == "/sentiment"
        assert str(read.api_keys_file) == "/etc/sentiment-service/api-keys/keys"


def test_every_setting_that_makes_sense_for_one_instance_is_a_field() -> None:
    # The pod's own: where it listens, where its files are. A log file needs a writable disk; the
    # container's log is what Kubernetes keeps.
    fixed = {"host", "port", "model_name", "log_file"}
    assert fixed | {name.lower() for name in OWN_VARIABLES} >= set(Settings.model_fields)


def test_each_number_may_be_as_small_as_the_service_takes_it() -> None:
    theirs = Settings.model_json_schema()["properties"]
    ours = spec_schema()["properties"]["serving"]["properties"]
    numbers = {name: field for name, field in Serving.model_fields.items() if field.annotation is int}
    assert len(numbers) > 10
    for name, field in numbers.items():
        exclusive = theirs[name].get("exclusiveMinimum")
        least = theirs[name]["minimum"] if exclusive is None else exclusive + 1
        assert ours[field.alias]["minimum"] == least, name


def test_defaults_are_the_service_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Settings()
    for name, value in variables({}).items():
        monkeypatch.setenv(name, value)
    both = {name: (getattr(alone, name), getattr(Settings(), name)) for name in Settings.model_fields}
    assert {name for name, (one, other) in both.items() if one != other} <= {"model_dir"}
