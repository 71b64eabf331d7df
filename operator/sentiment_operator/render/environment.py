"""The server's environment: every setting of the spec, then what the user adds."""

from collections.abc import Sequence
from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.serving import Serving
from .compact import dump
from .packages import MODELS, model_settings
from .surroundings import PreparedModel

# The claim's folder is swung to the current package by install-model.
_BUNDLED = f"{MODELS}/bundled"
API_KEYS_FOLDER, API_KEYS_NAME = "/etc/sentiment-service/api-keys", "keys"


def environment(
    owner: Owner, spec: SentimentServiceSpec, models: Sequence[PreparedModel]
) -> list[dict[str, Any]]:
    """The `env` of the server's container; references stay references."""
    served = model_settings(models) if models else {"MODEL_DIR": _BUNDLED}
    settings = {**served, **_settings(spec.serving)}
    if spec.access.path != "/":
        settings["ROOT_PATH"] = spec.access.path
    if spec.access.api_keys_secret_ref:
        settings["API_KEYS_FILE"] = f"{API_KEYS_FOLDER}/{API_KEYS_NAME}"
    if tracing := spec.monitoring.tracing:
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = tracing.otlp_endpoint
        settings["OTEL_SERVICE_NAME"] = owner.name
        settings["OTEL_RESOURCE_ATTRIBUTES"] = f"service.namespace={owner.namespace}"
    ours = [{"name": name, "value": value} for name, value in settings.items()]
    return ours + [dump(given) for given in spec.pod.env]


def _settings(serving: Serving) -> dict[str, str]:
    found = {name.upper(): _text(value) for name, value in serving.model_dump().items()}
    return {name: value for name, value in found.items() if value}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
