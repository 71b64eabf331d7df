"""API keys from a file, re-read when it changes, as a mounted Secret does."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers

from sentiment_service.logs import log_error, log_event

_LEAST_LENGTH = 16
_LOOK_EVERY_SECONDS = 1.0
# A name before the first `=`; what follows must be long, for a bare base64 key may end in `=`.
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,62})=([^\s]{16,})")


class KeysFileError(ValueError):
    """The file cannot be read or holds a wrong line; the message names it, never a key."""


def parse_keys(text: str) -> list[tuple[str, str]]:
    """(name, key) of every line; blank lines and lines with `#` first are left out."""
    keys = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        named = _NAMED.fullmatch(line)
        name, key = named.groups() if named else (f"line-{number}", line)
        if len(key) < _LEAST_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
            raise KeysFileError(
                f"line {number}: a key has at least {_LEAST_LENGTH} printable ASCII characters without spaces"
            )
        keys.append((name, key))
    return keys


class KeyRing:
    """Knows the keys by keyed hashes alone. A file that turns unreadable leaves the last good keys valid;
    one that turns empty admits nobody."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._pepper = secrets.token_bytes(32)
        self._hashes: list[tuple[bytes, str]] = []
        self._seen: tuple[int, int, int] | None = None
        self._look_at = 0.0
        self._read()

    def name_of(self, headers: Headers) -> str | None:
        """The name of the caller's key; None without a valid one."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
        if not given:
            return None
        self._refresh()
        digest = self._hash(given)
        found = None
        for known, name in self._hashes:  # all of them, so that time tells nothing
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _hash(self, key: str) -> bytes:
        return hmac.digest(self._pepper, key.encode("utf-8", "surrogatepass"), "sha256")

    def _read(self) -> None:
        try:
            status = os.stat(self._path)
            keys = parse_keys(self._path.read_text("utf-8"))
        except OSError as error:
            raise KeysFileError(f"API_KEYS_FILE {self._path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise KeysFileError(f"API_KEYS_FILE {self._path}: is not a text in UTF-8") from error
        except KeysFileError as error:
            raise KeysFileError(f"API_KEYS_FILE {self._path}, {error}") from error
        self._seen = _state(status)
        self._hashes = [(self._hash(key), name) for name, key in keys]

    def _refresh(self) -> None:
        if self._clock() < self._look_at:
            return
        self._look_at = self._clock() + _LOOK_EVERY_SECONDS
        try:
            now: tuple[int, int, int] | None = _state(os.stat(self._path))
        except OSError:
            now = None
        if now == self._seen:
            return
        try:
            self._read()
        except KeysFileError as error:
            self._seen = now  # told once, not each second
            log_error("", "api_keys_unreadable", str(error), {"kept": len(self._hashes)})
        else:
            log_event("API keys read", count=len(self._hashes))


def _state(status: os.stat_result) -> tuple[int, int, int]:
    """Changes with the content: a mounted Secret swaps a symlink, so the inode tells."""
    return status.st_mtime_ns, status.st_ino, status.st_size
