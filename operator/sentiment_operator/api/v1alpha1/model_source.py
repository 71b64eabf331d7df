"""Where a model, and the texts that it is judged on, come from."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Name, Strict, config
from .serving import Bundled

# Relative, and no part of it begins with a dot: it can't leave the volume.
_PART = r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*"
InsidePath = Annotated[str, Field(max_length=512, pattern=rf"^({_PART}(/{_PART})*)?$")]
Repository = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
Revision = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")]
Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://\S+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_NO_CREDENTIALS = "holds a user or a password: put them into a Secret and name it in spec.source"


def _clean(path: str, expression: str) -> tuple[str, str]:
    return (
        f"!{expression}.matches('^[a-z0-9]+://[^/]*@')",
        f"{path} {_NO_CREDENTIALS}.credentialsSecretRef",
    )


def _clean_endpoint(path: str) -> tuple[str, str]:
    rule, message = _clean(path, "self.endpoint")
    return f"!has(self.endpoint) || {rule}", message


class ClaimPath(Strict):
    """A folder or file in a claim of this namespace, mounted read-only."""

    claim_name: Name = Field(description="Name of the PersistentVolumeClaim.")
    path: InsidePath = Field("", description="Path in the volume; its root when empty.")


class ConfigMapKey(Strict):
    """One key of a ConfigMap in the same namespace."""

    name: Name = Field(description="Name of the ConfigMap.")
    key: str = Field(
        min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$", description="Key inside the ConfigMap."
    )


class HttpSource(Strict):
    """An archive over HTTP: tar (gz, bz2, xz) or zip."""

    model_config = config(_clean("spec.source.http.url", "self.url"))

    url: Url = Field(description="Of the archive.")
    sha256: Sha256 | None = Field(None, description="SHA-256 that it must have, in hexadecimal digits.")


class S3Source(Strict):
    """A prefix, or an archive, in a bucket."""

    model_config = config(_clean_endpoint("spec.source.s3.endpoint"))

    url: str = Field(max_length=1024, pattern=r"^s3://[a-z0-9.-]+(/\S*)?$", description="s3://BUCKET/PREFIX.")
    endpoint: Url | None = Field(None, description="URL of an S3 server other than Amazon's.")
    sha256: Sha256 | None = Field(None, description="SHA-256 that the archive must have.")


class HubSource(Strict):
    """A repository of a model hub."""

    model_config = config(
        _clean_endpoint("spec.source: the hub's endpoint"),
        (
            "!(has(self.offline) && has(self.endpoint))",
            "spec.source: with offline no hub is asked: remove endpoint, or offline",
        ),
    )

    repository: Repository = Field(description="OWNER/NAME.")
    revision: Revision | None = Field(
        None,
        description="Branch, tag or commit; what it stands for when the Job runs is pinned and shown in "
        "status.package.revision.",
    )
    endpoint: Url | None = Field(None, description="URL of a mirror of the hub.")
    offline: ClaimPath | None = Field(
        None,
        description="Ask no hub: take it from this cache of the hub's own client, what HF_HUB_CACHE or "
        "MODELSCOPE_CACHE names elsewhere.",
    )


class OciSource(Strict):
    """An OCI image or artifact, mounted as an image volume (Kubernetes 1.35 and newer)."""

    reference: str = Field(min_length=1, max_length=512, description="Of the image.")
    path: InsidePath = Field("", description="Folder in the image; its root when empty.")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )


class CredentialsSecret(Strict):
    """A Secret whose keys are named like the environment variables of docs/how-to/prepare-a-model.md."""

    name: Name = Field(description="Name of the Secret.")


SOURCES = ("bundled", "pvc", "http", "s3", "huggingFace", "modelScope", "oci")
_ONE = ", ".join(f"has(self.{name})" for name in SOURCES)


class Source(Strict):
    """Where the model comes from: exactly one place. A finished package is taken as it is."""

    model_config = config(
        (
            f"[{_ONE}].filter(x, x).size() == 1",
            f"spec.source: give exactly one of {', '.join(SOURCES[:-1])} and {SOURCES[-1]}",
        ),
        (
            "!has(self.credentialsSecretRef) || !(has(self.bundled) || has(self.pvc) || has(self.oci))",
            "spec.source.credentialsSecretRef is for http, s3, huggingFace and modelScope: remove it "
            "(spec.image.pullSecrets are for oci)",
        ),
    )

    bundled: Bundled | None = Field(None, description="The model in the Job's image: `bundled: {}`.")
    pvc: ClaimPath | None = Field(None, description="A folder in a claim of this namespace.")
    http: HttpSource | None = Field(None, description="An archive over HTTP.")
    s3: S3Source | None = Field(None, description="A prefix or archive in a bucket of S3 or the like.")
    hugging_face: HubSource | None = Field(None, description="A repository of the Hugging Face Hub.")
    model_scope: HubSource | None = Field(None, description="A repository of ModelScope.")
    oci: OciSource | None = Field(None, description="An OCI image or artifact.")
    credentials_secret_ref: CredentialsSecret | None = Field(
        None,
        description="Secret with HF_TOKEN, MODELSCOPE_API_TOKEN, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
        "AWS_SESSION_TOKEN, HTTP_TOKEN, HTTP_USERNAME or HTTP_PASSWORD.",
    )


class EvaluationUrl(Strict):
    """A CSV over HTTP."""

    model_config = config(_clean("spec.gate.evaluation.http.url", "self.url"))

    url: Url = Field(description="Of the CSV; spec.source.credentialsSecretRef counts for it too.")


def _one_place(path: str) -> tuple[str, str]:
    return (
        "[has(self.configMapKeyRef), has(self.pvc), has(self.http)].filter(x, x).size() == 1",
        f"{path}: give exactly one of configMapKeyRef, pvc and http",
    )


class EvaluationSource(Strict):
    """Labelled texts: exactly one place."""

    model_config = config(_one_place("spec.gate.evaluation"))

    config_map_key_ref: ConfigMapKey | None = Field(None, description="A key of a ConfigMap.")
    pvc: ClaimPath | None = Field(None, description="A file in a claim of this namespace.")
    http: EvaluationUrl | None = Field(None, description="A CSV over HTTP.")


class UnlabelledUrl(EvaluationUrl):
    """A CSV over HTTP."""

    model_config = config(_clean("spec.pruning.distillation.texts.http.url", "self.url"))


class UnlabelledSource(EvaluationSource):
    """Texts without labels: exactly one place."""

    model_config = config(_one_place("spec.pruning.distillation.texts"))

    http: UnlabelledUrl | None = Field(None, description="A CSV over HTTP.")
