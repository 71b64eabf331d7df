"""A real HTTP server: plain files with ranges, the Hub's API, ModelScope's API, and faults.

Of the standard library alone, so that it runs in a pod too (e2e/hub.py).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Fault:
    """For one request of a file: a status instead of it, or an end (or silence) after so many bytes."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    end_after: int = -1
    silence: bool = False


@dataclass
class Hub:
    """`repositories[owner/name][path]` are bytes; `files[/path]` too; `faults` are used up one by one."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    token: str = ""
    refuse_with: int = 401
    log: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    # Ends all silence.
    released: threading.Event = field(default_factory=threading.Event)

    def ranges(self) -> list[str]:
        """The Range headers, in order."""
        return [headers["range"] for method, _, headers in self.log if method == "GET" and "range" in headers]


@contextmanager
def serve(host: str = "127.0.0.1", port: int = 0) -> Iterator[Hub]:
    """Run it; only on loopback but for the one in a cluster."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.log.append((self.command, self.path, headers))
            said = headers.get("authorization", "") + headers.get("cookie", "")
            if hub.token and hub.token not in said:
                self.status(hub.refuse_with, {})
                return
            parts = urlsplit(self.path)
            path, query = unquote(parts.path), parse_qs(parts.query)
            if path in hub.files:
                self.file(hub.files[path], {})
            elif path.startswith("/api/models/"):
                self.hugging_face_info(path.removeprefix("/api/models/"))
            elif path.startswith("/api/v1/models/"):
                self.modelscope(path.removeprefix("/api/v1/models/"), query)
            elif "/resolve/" in path:
                name, _, rest = path.strip("/").partition("/resolve/")
                revision, _, file = rest.partition("/")
                content = hub.repositories.get(name, {}).get(file)
                if content is None or revision not in (COMMIT, "main"):
                    self.status(404, {"X-Error-Code": "EntryNotFound"})
                else:
                    self.file(content, {"X-Repo-Commit": COMMIT})
            else:
                self.status(404, {})

        def hugging_face_info(self, rest: str) -> None:
            name, _, revision = rest.partition("/revision/")
            files = hub.repositories.get(name)
            if files is None:
                self.status(404, {"X-Error-Code": "RepoNotFound"})
            elif revision not in ("", "main", COMMIT):
                self.status(404, {"X-Error-Code": "RevisionNotFound"})
            else:
                listed = [{"rfilename": path, "size": len(content), "blobId": "0" * 40,
                           "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
                                   "pointerSize": 134}}
                          for path, content in files.items()]  # fmt: skip
                self.json({"id": name, "modelId": name, "sha": COMMIT, "siblings": listed, "tags": []})

        def modelscope(self, rest: str, query: dict[str, list[str]]) -> None:
            name, _, what = rest.partition("/repo")
            files = hub.repositories.get(name)
            revision = query.get("Revision", ["master"])[0]
            if files is None or revision not in ("master", "v1.0.0", COMMIT):
                self.json({"Code": 10010205001, "Message": "model not found", "Success": False}, 404)
            elif what == "/files":
                listed = [{"Name": path, "Path": path, "Type": "blob", "Size": len(content),
                           "Revision": COMMIT, "CommittedDate": 1700000000,
                           "Sha256": hashlib.sha256(content).hexdigest()}
                          for path, content in files.items()]  # fmt: skip
                self.json({"Code": 200, "Success": True, "Data": {"Files": listed}})
            else:
                content = files.get(query.get("FilePath", [""])[0])
                if content is None:
                    self.status(404, {})
                else:
                    self.file(content, {})

        def json(self, found: Any, status: int = 200) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def status(self, code: int, headers: dict[str, str]) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def file(self, content: bytes, headers: dict[str, str]) -> None:
            fault = hub.faults.popleft() if hub.faults and self.command == "GET" else Fault()
            if fault.status:
                self.status(fault.status, fault.headers)
                return
            tag = f'"{hashlib.sha256(content).hexdigest()}"'
            begin, total = 0, len(content)
            asked = self.headers.get("Range", "")
            if asked.startswith("bytes=") and self.headers.get("If-Range", tag) == tag:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                begin = int(first)
                if begin >= total:
                    self.status(416, {"Content-Range": f"bytes */{total}"})
                    return
                content = content[begin : int(last) + 1 if last else None]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{begin + len(content) - 1}/{total}")
            else:
                self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("ETag", tag)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if fault.end_after >= 0:
                content = content[: fault.end_after]
                self.close_connection = True
            self.wfile.write(content)
            hub.sent += len(content)
            if fault.silence:
                hub.released.wait()

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()


def read_folder(folder: Path) -> dict[str, bytes]:
    """What a repository of this folder holds."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
