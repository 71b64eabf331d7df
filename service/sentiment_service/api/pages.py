"""The web page and the API's documentation: built files, a strict policy, and no other origin."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sentiment_service.app import Service

WEB = Path(__file__).parent.parent / "web"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# The names of files in assets/ hold a hash of their content.
_FOREVER = "public, max-age=31536000, immutable"


class File:
    """A built file in memory, plain and compressed."""

    def __init__(self, name: str, content: bytes) -> None:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        self.type = f"{kind}; charset=utf-8" if text else kind
        self.plain = content
        self.gzip = gzip.compress(content, 9, mtime=0)
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    def answer(self, request: Request, cache_control: str) -> Response:
        headers = {
            **SECURITY_HEADERS,
            "Cache-Control": cache_control,
            "ETag": self.etag,
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.gzip, media_type=self.type, headers=headers)
        return Response(self.plain, media_type=self.type, headers=headers)


def router(service: Service) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    base = f"{service.settings.root_path}/" if service.settings.root_path else "./"

    @cache
    def page(name: str) -> File:
        # Links are relative to this, so that the page works behind any path prefix.
        content = (WEB / name).read_bytes().replace(b'<base href="./">', f'<base href="{base}">'.encode())
        return File(name, content)

    @cache
    def asset(name: str) -> File:
        return File(name, (WEB / "assets" / name).read_bytes())

    names = frozenset(path.name for path in (WEB / "assets").iterdir())

    @routes.get("/")
    async def index(request: Request) -> Response:
        return page("index.html").answer(request, "no-cache")

    @routes.get("/docs")
    async def docs(request: Request) -> Response:
        return page("docs.html").answer(request, "no-cache")

    @routes.get("/assets/{name}")
    async def assets(name: str, request: Request) -> Response:
        if name not in names:
            raise HTTPException(404)
        return asset(name).answer(request, _FOREVER)

    return routes
