"""SOURCE of the command line, read. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from sentiment_models.faults import SourceInvalid

Kind = Literal["bundled", "directory", "http", "bucket", "huggingFace", "modelScope"]
SCHEMES: dict[str, Kind] = {
    "http": "http", "https": "http", "s3": "bucket", "gs": "bucket", "az": "bucket",
    "hf": "huggingFace", "modelscope": "modelScope",
}  # fmt: skip
# Names under which the same model is known: the article's, and the hub's new owner.
ALIASES = {
    "damo/structbert-base-chinese-sentiment-classification": (
        "damo/nlp_structbert_sentiment-classification_chinese-base"
    ),
}
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Source:
    """One place. `location` may hold a user's name and password: show `shown`, never it."""

    kind: Kind
    location: str
    revision: str | None = None
    sha256: str | None = None
    endpoint: str | None = None
    offline: bool = False

    @property
    def shown(self) -> str:
        """For people, logs and model.json: no user, no password, no query (which may be signed)."""
        if self.kind in ("huggingFace", "modelScope"):
            return f"{'hf' if self.kind == 'huggingFace' else 'modelscope'}://{self.location}"
        return without_secrets(self.location) if "://" in self.location else self.location


def without_secrets(url: str) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def parse(
    text: str,
    revision: str | None = None,
    sha256: str | None = None,
    endpoint: str | None = None,
    offline: bool = False,
) -> Source:
    """SourceInvalid says what is wrong. `@REVISION` after a repository counts like `revision`."""
    source = _kind(text)
    if source.revision and revision and source.revision != revision:
        raise SourceInvalid(f"{text} names another revision than {revision}", "Name the revision once.")
    if revision and source.kind not in ("huggingFace", "modelScope"):
        raise SourceInvalid(f"a revision is for hubs, not for {source.kind}", "Leave --revision out.")
    if sha256 is not None:
        if source.kind not in ("http", "bucket"):
            raise SourceInvalid(f"a sha256 is for one downloaded archive, not for {source.kind}",
                                "Leave --sha256 out.")  # fmt: skip
        sha256 = sha256.lower().removeprefix("sha256:")
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise SourceInvalid("the sha256 is not 64 hexadecimal digits", "Copy it again.")
    return replace(
        source, revision=revision or source.revision, sha256=sha256, endpoint=endpoint, offline=offline
    )


def _kind(text: str) -> Source:
    if text == "bundled":
        return Source("bundled", text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Source("directory", str(Path(text).absolute()))
    if scheme == "file":
        return Source("directory", rest)
    kind = SCHEMES.get(scheme)
    if kind is None:
        raise SourceInvalid(f"{scheme}:// is not a kind of source that is known")
    if kind in ("huggingFace", "modelScope"):
        name, _, revision = rest.partition("@")
        if not _REPOSITORY.fullmatch(name):
            raise SourceInvalid(f"{name!r} is not OWNER/NAME")
        if name in ALIASES:
            # The alias' revision does not exist in the repository that it stands for.
            return Source(kind, ALIASES[name], None if revision == "v1.0.1" else revision or None)
        return Source(kind, name, revision or None)
    if not urlsplit(text).netloc:
        raise SourceInvalid(f"{without_secrets(text)} names no {'server' if kind == 'http' else 'bucket'}")
    return Source(kind, text)
