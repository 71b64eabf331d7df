"""Settings: each one is an environment variable (its upper-case name) and a flag of `serve`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sentiment_service.cpu import usable_threads

BUNDLED_MODEL = Path(__file__).parent / "bundled"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        cli_prog_name="sentiment-service serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        # Kubernetes has no way to leave a variable out of a template but to make it empty.
        env_ignore_empty=True,
        protected_namespaces=(),
        extra="ignore",
        frozen=True,
    )

    host: str = Field(default="0.0.0.0", description="address to listen on")  # noqa: S104 a pod's own
    port: int = Field(default=7860, ge=0, le=65535, description="port to listen on; 0: any free one")
    model_dir: Path = Field(default=BUNDLED_MODEL, description="model package, or directory of packages")
    model_name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*)?$",
        description="package inside MODEL_DIR; empty: MODEL_DIR itself is the package",
    )
    models: str = Field(
        default="",
        description="several models in place of MODEL_DIR: `name=directory`, separated by commas; requests "
        "choose one by its name, the first is for those that name none",
    )
    engine: Literal["auto", "openvino", "torch"] = Field(
        default="auto",
        description="what runs the model; auto: openvino for a package, torch for a checkpoint",
    )
    workers: int = Field(
        default=1,
        ge=0,
        le=64,
        description="HTTP worker processes; they share one engine; 0: one for every two CPUs of the quota",
    )
    inference_threads: int = Field(default=0, ge=0, description="0: from the cgroup's quota and affinity")
    max_text_length: int = Field(default=512, ge=1, description="characters of one text")
    max_batch_items: int = Field(default=1000, ge=1, description="texts of one batch request")
    max_body_bytes: int = Field(default=4 << 20, ge=1024, description="bytes of one request body")
    max_batch_tokens: int = Field(
        default=256,
        ge=1,
        description="padded tokens of one engine run; four times as many where a run costs much beside them",
    )
    queue_limit: int = Field(
        default=4096, ge=1, description="texts waiting for one model; more are refused with 429"
    )
    request_timeout_seconds: float = Field(default=30, gt=0, description="deadline of one request (504)")
    drain_seconds: float = Field(
        default=3, ge=0, description="on SIGTERM: seconds still accepting while not ready, before stopping"
    )
    warm_up: bool = Field(
        default=False, description="load the model (of several: the first) at start, not at the first request"
    )
    idle_unload_seconds: float = Field(default=0, ge=0, description="unload after this idle time; 0: never")
    memory_soft_limit_bytes: int = Field(
        default=0,
        ge=0,
        description="above it the model is unloaded and the pod unready; 0: 85 % of the cgroup's",
    )
    api_keys_file: Path | None = Field(
        default=None, description="keys that callers must show, one a line, `key` or `name=key`; empty: open"
    )
    cors_allow_origins: str = Field(
        default="", description="origins whose pages may call, separated by commas, or `*`; empty: none"
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="path prefix behind a proxy, as in `/sentiment`, whether the proxy strips it or not",
    )
    log_level: Annotated[Level, BeforeValidator(_upper)] = Field(default="INFO", description="least level")
    log_preview_chars: int = Field(default=50, ge=0, description="characters of a text in logs; 0: none")
    log_file: Path | None = Field(
        default=None, description="also log to this file, rotated at 50 MB, 10 kept; empty: stdout alone"
    )

    @field_validator("models")
    @classmethod
    def _models(cls, value: str) -> str:
        names = []
        for entry in _split(value):
            name, _, directory = entry.partition("=")
            if not (_NAME.fullmatch(name) and directory):
                raise ValueError(f"{entry[:80]!r} is no name=directory")
            names.append(name)
        if len(set(names)) != len(names):
            raise ValueError("a name is given twice")
        return value

    @field_validator("cors_allow_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in _split(value):
            parts = urlsplit(origin)
            whole = f"{parts.scheme}://{parts.netloc}"
            if origin != "*" and (
                parts.scheme not in ("http", "https") or not parts.netloc or origin != whole
            ):
                raise ValueError(f"{origin!r} is no origin like https://app.example.com (no path, no slash)")
        return value

    @model_validator(mode="after")
    def _queue_holds_a_batch(self) -> Settings:
        if self.queue_limit < self.max_batch_items:
            raise ValueError(
                f"QUEUE_LIMIT ({self.queue_limit}) is below MAX_BATCH_ITEMS ({self.max_batch_items}): a full "
                "batch could never be accepted; raise the one or lower the other"
            )
        return self

    @property
    def packages(self) -> dict[str, Path]:
        """Where each model is, by the name that requests choose it by; the first is the default.

        One alone need not have a name."""
        given = (entry.partition("=") for entry in _split(self.models))
        several = {name: Path(directory) for name, _, directory in given}
        alone = self.model_dir / self.model_name if self.model_name else self.model_dir
        return several or {self.model_name: alone}

    @property
    def http_workers(self) -> int:
        """The engine needs most of the CPUs."""
        return self.workers or max(1, usable_threads() // 2)

    @property
    def cors_origins(self) -> list[str]:
        return _split(self.cors_allow_origins)


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def explain(error: ValidationError) -> list[str]:
    """One line for each wrong setting: its variable and flag, what is wrong, and what it is for."""
    lines = []
    for problem in error.errors(include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        name = str(problem["loc"][0]) if problem["loc"] else ""
        field = Settings.model_fields.get(name)
        if field is None:
            lines.append(message)
            continue
        lines.append(
            f"{name.upper()} ({flag(name)}) is {str(problem['input'])[:80]!r}: {message}. "
            f"It is: {field.description} (default: {default_of(name) or 'none'})"
        )
    return lines


def default_of(name: str) -> str:
    """The default as one writes it in a variable; empty for none."""
    value = Settings.model_fields[name].default
    if value == BUNDLED_MODEL:
        return "the bundled model"
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
