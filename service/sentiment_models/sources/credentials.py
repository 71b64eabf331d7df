"""Credentials: from the environment or from a mounted Secret, and kept out of everything that is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

NAMES = (
    "HF_TOKEN", "MODELSCOPE_API_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "HTTP_TOKEN", "HTTP_USERNAME", "HTTP_PASSWORD",
)  # fmt: skip

# A user and password in a URL, and its query, which may be signed.
_USER = re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s/\"'\\]*@")
_QUERY = re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s?\"'\\]*)\?[^\s\"'\\]+")


class Credentials:
    """Values by name. Its repr shows none of them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in values.items() if value}

    @classmethod
    def read(cls, folder: Path | None, environ: Mapping[str, str] = os.environ) -> Credentials:
        """The files of `folder` that are named like the variables win over the variables."""
        values = {name: environ[name] for name in NAMES if name in environ}
        if folder is not None:
            values |= {
                name: (folder / name).read_text("utf-8").strip()
                for name in NAMES
                if (folder / name).is_file()
            }
        return cls(values)

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def also(self, secret: str | None) -> None:
        """Another secret, from a URL, that must not be shown."""
        if secret:
            self._values[f"url-{len(self._values)}"] = secret

    def redact(self, text: str) -> str:
        """The text with every value, plain, percent-encoded or in JSON, replaced by ***.

        So are user, password and query of every URL.
        """
        for value in sorted(self._values.values(), key=len, reverse=True):
            if len(value) >= 4:
                for form in (value, quote(value, safe=""), json.dumps(value)[1:-1]):
                    text = text.replace(form, "***")
        return _QUERY.sub(r"\1?***", _USER.sub(r"\1***@", text))
