"""The page is served compressed, cacheable, under a strict policy, and from wherever it is mounted."""

from __future__ import annotations

import gzip
import re

from starlette.testclient import TestClient

from tests.service.tiny_model import Serve


def test_policy_allows_nothing_inline_and_no_other_origin(client: TestClient) -> None:
    for path in ("/", "/docs"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert not re.search(r"https?:|\*", policy)


def test_every_file_that_the_page_names_is_served_for_ever(client: TestClient) -> None:
    page = client.get("/").text
    names = re.findall(r'(?:src|href)="(assets/[^"]+)"', page)
    assert len(names) >= 3
    for name in names:
        answer = client.get(name)
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"].split(";")[0] in (
            "text/javascript",
            "text/css",
            "image/svg+xml",
        )


def test_the_page_itself_is_asked_for_again_but_not_sent_again(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_compressed_only_for_those_who_take_it(client: TestClient) -> None:
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(b"".join(packed.iter_raw())) == plain.content


def test_no_file_outside_the_built_ones(client: TestClient) -> None:
    for name in ("../index.html", "..%2findex.html", "none.js", "%2e%2e/app.py"):
        assert client.get(f"/assets/{name}").status_code == 404


def test_base_is_the_root_path(serve: Serve) -> None:
    assert '<base href="./">' in serve().get("/").text
    behind = serve(root_path="/sentiment")
    for path in ("/", "/sentiment/", "/sentiment"):
        assert '<base href="/sentiment/">' in behind.get(path).text


def test_info_tells_the_package(client: TestClient) -> None:
    info = client.get("/api/v1/info").json()
    assert info["problem"] is None
    assert info["model"]["digest"].startswith("sha256:")
    assert info["model"]["neutral"].keys() == {"low", "high"}
    assert info["limits"]["max_text_length"] == 512


def test_info_says_why_there_is_no_model(serve: Serve, tmp_path: object) -> None:
    info = serve(model_dir=tmp_path).get("/api/v1/info").json()
    assert info["model"] is None
    assert str(tmp_path) in info["problem"]
