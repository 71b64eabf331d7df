"""Settings: each one is an environment variable (its upper-case name) and a flag of `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

BUNDLED_MODEL = Path(__file__).parent / "bundled"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        cli_prog_name="sentiment-service serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
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
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level")
    log_preview_chars: int = Field(default=50, ge=0, description="characters of a text in logs; 0: none")
    max_text_length: int = Field(default=512, ge=1, description="characters of one text")
    max_batch_items: int = Field(default=1000, ge=1, description="texts of one batch request")
    max_body_bytes: int = Field(default=4 << 20, ge=1024, description="bytes of one request body")
    max_batch_tokens: int = Field(default=512, ge=1, description="padded tokens of one engine run")
    queue_limit: int = Field(default=4096, ge=1, description="texts waiting; more are refused with 429")
    request_timeout_seconds: float = Field(default=30, gt=0, description="deadline of one request (504)")
    drain_seconds: float = Field(
        default=3, ge=0, description="on SIGTERM: seconds still accepting while not ready, before stopping"
    )
    warm_up: bool = Field(default=False, description="load the model at start, not at the first request")
    idle_unload_seconds: float = Field(default=0, ge=0, description="unload after this idle time; 0: never")
    inference_threads: int = Field(default=0, ge=0, description="0: from the cgroup's quota and affinity")

    @model_validator(mode="after")
    def _queue_holds_a_batch(self) -> Settings:
        if self.queue_limit < self.max_batch_items:
            raise ValueError("QUEUE_LIMIT is below MAX_BATCH_ITEMS: a full batch could never be accepted")
        return self

    @property
    def package_dir(self) -> Path:
        return self.model_dir / self.model_name if self.model_name else self.model_dir
