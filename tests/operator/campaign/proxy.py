"""A proxy before the API server that counts an operator's writes and misbehaves as told.

Each lane (one operator) has its own path prefix, its own log and its own faults.
"""

import asyncio
import json
import random
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import aiohttp
from aiohttp import web

Manifest = dict[str, Any]
_HOP_HEADERS = {"transfer-encoding", "content-length", "connection", "content-encoding", "host"}


class Fault(Enum):
    """What may go wrong with a write."""

    KILL_BEFORE = "the operator dies before the write"
    KILL_AFTER = "the operator dies after the write, before it hears of it"
    CONFLICT = 409
    TOO_MANY_REQUESTS = 429
    INTERNAL_ERROR = 500
    TIMEOUT_AFTER = "the write is applied, and never answered"


class Disturbance(Enum):
    """What may go wrong for as long as it is switched on."""

    DROPPED = "watch events are lost, now and then"
    SILENCED = "watch events are all lost, until everything was listed again"
    DUPLICATED = "watch events come twice"
    DELAYED = "watch events come late"
    STALE_LISTS = "a list is older than the last one"
    CONFLICTS = "every write of a status conflicts"
    EXPIRED = "resource versions expire (410)"


@dataclass
class Lane:
    """One operator's view of the API server. `about`: only writes about objects of this name count."""

    name: str
    kill: Callable[[], None]
    about: str = ""
    fault: Fault | None = None
    at_write: int = 0
    disturbance: Disturbance | None = None
    dice: random.Random = field(default_factory=lambda: random.Random(0))
    writes: int = 0
    last: str = ""
    applied: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    written: asyncio.Event = field(default_factory=asyncio.Event)
    read: asyncio.Event = field(default_factory=asyncio.Event)
    lists: dict[str, bytes] = field(default_factory=dict)
    listed: Counter[str] = field(default_factory=Counter)
    hit: bool = False

    def begin(self, about: str) -> None:
        """Forget what was counted; no faults."""
        self.about, self.fault, self.disturbance, self.hit = about, None, None, False
        self.writes = 0
        self.applied.clear()
        self.killed.clear()

    async def all_listed(self) -> None:
        """Wait until each kind was listed twice from now: a first list may have been under way."""
        self.listed.clear()
        async with asyncio.timeout(30):
            while any(self.listed[path] < 2 for path in self.lists):
                self.read.clear()
                await self.read.wait()


class Proxy:
    """Listens on a loopback port; `url(lane)` is the server that the lane's operator is given."""

    def __init__(self, server: str, tls: ssl.SSLContext) -> None:
        self._server = server
        self._tls = tls
        self._lanes: dict[str, Lane] = {}
        self._port = 0

    async def __aenter__(self) -> "Proxy":
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        self.session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self.session.close()

    def url(self, lane: Lane) -> str:
        """Where the lane's operator finds its API server."""
        self._lanes[lane.name] = lane
        return f"http://127.0.0.1:{self._port}/{lane.name}"

    async def admin(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> tuple[int, Any]:
        """A request of the test's own, past all faults: (status, parsed answer)."""
        headers = {"Content-Type": content_type or "application/json", "Accept": "application/json"}
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, self._server + path, data=data, headers=headers) as response:
            return response.status, json.loads(await response.read())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, name, rest = request.raw_path.split("/", 2)
        lane, path = self._lanes[name], f"/{rest}"
        if request.query.get("watch") == "true":
            return await self._watch(request, lane, path)
        body = await request.read()
        if request.method == "GET":
            return await self._read(request, lane, path)
        if "/leases" in path or not _concerns(lane.about, path, body):
            return _response(*await self._forward(request, path, body))
        return await self._write(request, lane, path, body)

    async def _write(
        self, request: web.BaseRequest, lane: Lane, path: str, body: bytes
    ) -> web.StreamResponse:
        lane.writes += 1
        lane.last = f"{request.method} {path} {body.decode()}"
        lane.written.set()
        fault = lane.fault if lane.fault and lane.writes == lane.at_write else None
        if lane.disturbance is Disturbance.CONFLICTS and path.split("?")[0].endswith("/status"):
            fault = Fault.CONFLICT
        lane.hit |= fault is not None
        if fault is Fault.KILL_BEFORE:
            lane.kill()
            return await _silence()
        if fault in (Fault.CONFLICT, Fault.TOO_MANY_REQUESTS, Fault.INTERNAL_ERROR):
            return _refusal(int(fault.value))
        status, headers, answer = await self._forward(request, path, body)
        # Events are told once, as well as can be: one may be lost with its teller.
        if not path.split("?")[0].endswith("/events") and (
            status == 201 or (request.method == "DELETE" and status < 300)
        ):
            lane.applied["create" if status == 201 else "delete", *_kind_and_name(path)] += 1
        if fault is Fault.KILL_AFTER:
            lane.kill()
        return await _silence() if fault else _response(status, headers, answer)

    async def _read(self, request: web.BaseRequest, lane: Lane, path: str) -> web.StreamResponse:
        status, headers, answer = await self._forward(request, path, b"")
        if "labelSelector" in request.query and status == 200:
            before = lane.lists.get(path)
            lane.lists[path] = answer
            lane.listed[path] += 1
            lane.read.set()
            if lane.disturbance is Disturbance.STALE_LISTS and before and lane.dice.random() < 0.5:
                lane.hit, answer = True, before
        return _response(status, headers, answer)

    async def _watch(self, request: web.BaseRequest, lane: Lane, path: str) -> web.StreamResponse:
        if lane.disturbance is Disturbance.EXPIRED and lane.dice.random() < 0.5:
            lane.hit = True
            return _refusal(410)
        headers = _without_hops(request.headers)
        async with self.session.get(self._server + path, headers=headers, timeout=_NO_LIMIT) as upstream:
            if upstream.status != 200:
                return _response(upstream.status, dict(upstream.headers), await upstream.read())
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            rest = b""
            with suppress(ConnectionError):  # the operator is dead
                async for chunk in upstream.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        for out in await self._disturbed(lane, line):
                            await response.write(out + b"\n")
            return response

    async def _disturbed(self, lane: Lane, line: bytes) -> list[bytes]:
        if lane.disturbance in (None, Disturbance.CONFLICTS) or b'"BOOKMARK"' in line[:40]:
            return [line]
        if lane.disturbance is Disturbance.SILENCED:
            lane.hit = True
            return []
        if lane.dice.random() > 0.6:
            return [line]
        match lane.disturbance:
            case Disturbance.DROPPED:
                lane.hit = True
                return []
            case Disturbance.DUPLICATED:
                lane.hit = True
                return [line, line]
            case Disturbance.DELAYED:
                lane.hit = True
                await asyncio.sleep(lane.dice.uniform(0.05, 0.6))
            case Disturbance.EXPIRED:
                lane.hit = True
                gone = {"kind": "Status", "code": 410, "message": "too old resource version", "metadata": {}}
                return [json.dumps({"type": "ERROR", "object": gone}).encode()]
        return [line]

    async def _forward(
        self, request: web.BaseRequest, path: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        headers = _without_hops(request.headers)
        async with self.session.request(
            request.method, self._server + path, data=body or None, headers=headers
        ) as upstream:
            return upstream.status, dict(upstream.headers), await upstream.read()


_NO_LIMIT = aiohttp.ClientTimeout(total=None)


def _concerns(about: str, path: str, body: bytes) -> bool:
    return bool(about) and (f"/{about}" in path or f'"name":"{about}"'.encode() in body)


def _kind_and_name(path: str) -> tuple[str, str]:
    parts = path.split("?")[0].split("/")
    return parts[-2], parts[-1]


async def _silence() -> web.StreamResponse:
    """No answer, ever: the client gives up first."""
    await asyncio.sleep(30)
    return web.Response(status=504)


def _refusal(code: int) -> web.Response:
    reason = {409: "Conflict", 429: "TooManyRequests", 410: "Expired"}.get(code, "InternalError")
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "made up"}
    return web.json_response(status, status=code)


def _response(status: int, headers: dict[str, str], body: bytes) -> web.Response:
    return web.Response(status=status, headers=_without_hops(headers), body=body)


def _without_hops(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS}
