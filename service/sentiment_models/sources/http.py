"""One file over HTTP: resumed where it ended, retried while it moves, checked at the end."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from sentiment_models import faults
from sentiment_models.sources import storage
from sentiment_models.sources.credentials import Credentials
from sentiment_models.sources.spec import without_secrets

if TYPE_CHECKING:
    import httpx

CHUNK = 1 << 20
USER_AGENT = "sentiment-models"
BY_STATUS: dict[int, type[faults.Fault]] = {
    401: faults.SourceUnauthorized, 403: faults.SourceForbidden, 404: faults.SourceNotFound,
    410: faults.SourceNotFound, 429: faults.SourceRateLimited,
}  # fmt: skip

Advance = Callable[[int, int | None], None]
"""Called with (bytes here, bytes in all or None)."""


@dataclass(frozen=True)
class Patience:
    """Retries without a new byte; first pause (doubled each time), longest pause, silence: seconds."""

    retries: int = 6
    pause: float = 1.0
    longest: float = 60.0
    silence: float = 30.0


class _AgainError(Exception):
    """Worth another try; `after` seconds when the server said so."""

    def __init__(self, fault: faults.Fault, after: float | None = None) -> None:
        super().__init__(fault.cause)
        self.fault, self.after = fault, after


def client(url: str, credentials: Credentials, patience: Patience) -> tuple[httpx.Client, str]:
    """A client with the credentials, and the URL without them. A redirect to another host gets none."""
    import httpx

    parts = urlsplit(url)
    clean = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    own = (unquote(parts.username or ""), unquote(parts.password or ""))
    for secret in (own[1], parts.query):
        credentials.also(secret)
    user, password = credentials.get("HTTP_USERNAME"), credentials.get("HTTP_PASSWORD")
    token = credentials.get("HTTP_TOKEN")
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    auth = None
    if own[0]:
        auth = httpx.BasicAuth(*own)
    elif user:
        auth = httpx.BasicAuth(user, password or "")
    elif token:
        headers["Authorization"] = f"Bearer {token}"
    made = httpx.Client(auth=auth, headers=headers, timeout=patience.silence, follow_redirects=True)
    return made, clean


def size(url: str, credentials: Credentials, patience: Patience = Patience()) -> int | None:
    """Content-Length of a HEAD request, when the server tells it."""
    import httpx

    session, clean = client(url, credentials, patience)
    try:
        with session:
            answer = session.head(clean)
    except httpx.RequestError as error:
        raise faults.SourceUnavailable(f"{without_secrets(url)}: {error or type(error).__name__}") from error
    if answer.status_code in BY_STATUS:
        raise BY_STATUS[answer.status_code](f"{without_secrets(url)} answers {answer.status_code}")
    length = answer.headers.get("Content-Length", "")
    return int(length) if answer.is_success and length.isdigit() else None


def download(
    url: str,
    target: Path,
    credentials: Credentials,
    advance: Advance,
    sha256: str | None = None,
    patience: Patience = Patience(),
) -> str:
    """Fetch to `target` by way of `target.part`, which a later call goes on with; its sha256.

    A file that is there already is trusted only as far as its checksum. SourceUnavailable, SourceTruncated
    after `patience`, other faults at once.
    """
    part, memory = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file():
        found = digest(target)
        if sha256 is not None and found == sha256:
            return found
        target.unlink()
    session, clean = client(url, credentials, patience)
    failures = 0
    with session:
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                with storage.faults():
                    _go_on(session, clean, part, memory, advance)
                break
            except _AgainError as again:
                came = (part.stat().st_size if part.exists() else 0) > before
                failures = 1 if came else failures + 1
                if failures > patience.retries:
                    raise again.fault from again
                pause = patience.pause * 2 ** (failures - 1) if again.after is None else again.after
                if pause > patience.longest and again.after is not None:
                    raise again.fault from again
                time.sleep(min(pause, patience.longest))
    found = digest(part)
    if sha256 is not None and found != sha256:
        part.unlink()
        memory.unlink(missing_ok=True)
        raise faults.ChecksumMismatch(
            f"{without_secrets(url)} has the sha256 {found}, and {sha256} was expected"
        )
    part.rename(target)
    memory.unlink(missing_ok=True)
    return found


def _go_on(session: httpx.Client, url: str, part: Path, memory: Path, advance: Advance) -> None:
    """Append what is missing; raises _AgainError when it broke off."""
    import httpx

    validator = _validator(memory)
    have = part.stat().st_size if part.exists() and validator else 0
    headers = {"Range": f"bytes={have}-", "If-Range": validator} if have and validator else {}
    shown = without_secrets(url)
    try:
        with session.stream("GET", url, headers=headers) as answer:
            _refuse(answer, shown)
            if answer.status_code == 416 and have:
                part.unlink()
                raise _AgainError(faults.SourceUnavailable(f"{shown} has changed meanwhile"), 0.0)
            if answer.status_code not in (200, 206):
                raise faults.SourceUnavailable(f"{shown} answers {answer.status_code}")
            resumed = answer.status_code == 206
            have = have if resumed else 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            if total is not None:
                storage.require(part.parent, total - have)
            tag = answer.headers.get("ETag", "")
            strong = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")
            if strong != validator:  # else it could be cut off without need
                memory.write_text(json.dumps({"validator": strong}))
            with part.open("ab" if resumed else "wb") as out:
                advance(have, total)
                for chunk in answer.iter_raw():  # chunks of a given size would lose the last, unfinished one
                    out.write(chunk)
                    have += len(chunk)
                    advance(have, total)
            if total is not None and have < total:
                raise _AgainError(faults.SourceTruncated(f"{shown} ended after {have} of {total} bytes"))
    except httpx.RemoteProtocolError as error:
        raise _AgainError(faults.SourceTruncated(f"{shown} broke off: {error}")) from error
    except httpx.TransportError as error:
        raise _AgainError(faults.SourceUnavailable(f"{shown}: {error or type(error).__name__}")) from error
    except httpx.RequestError as error:  # such as too many redirects
        raise faults.SourceUnavailable(f"{shown}: {error}") from error


def _validator(memory: Path) -> str | None:
    """What the bytes so far belong to; None when nobody knows."""
    try:
        found: str | None = json.loads(memory.read_text())["validator"]
    except (OSError, ValueError, KeyError):  # not there, or cut off
        return None
    return found


def _refuse(answer: httpx.Response, shown: str) -> None:
    code = answer.status_code
    cause = f"{shown} answers {code} {answer.reason_phrase}"
    if code == 429:
        raise _AgainError(faults.SourceRateLimited(cause), _retry_after(answer.headers.get("Retry-After")))
    if code in BY_STATUS:
        raise BY_STATUS[code](cause)
    if code >= 500:
        raise _AgainError(faults.SourceUnavailable(cause), _retry_after(answer.headers.get("Retry-After")))


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def digest(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
