"""Keys, other origins, and a path prefix."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from sentiment_service.api.keys import KeyRing, KeysFileError, parse_keys
from starlette.datastructures import Headers

from tests.service.test_api import ANALYZE, assert_error
from tests.service.tiny_model import Serve

KEY = "k-0123456789abcdef"
OTHER = "other-0123456789=="
OPEN = ["/", "/docs", "/openapi.json", "/health", "/livez", "/readyz", "/startupz", "/metrics",
        "/v2/health/live", "/v2/health/ready"]  # fmt: skip


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# who may call\n\nshop={KEY}\n{OTHER}\n")
    return path


def test_lines_of_the_file() -> None:
    text = f"\ufeff# comment\nshop={KEY}\n  {OTHER}  \n".removeprefix("\ufeff")
    assert parse_keys(text) == [("shop", KEY), ("line-3", OTHER)]


@pytest.mark.parametrize(
    "line", ["short", "name=short", "with space in the middle", "钥匙钥匙钥匙钥匙钥匙钥匙钥匙钥匙"]
)
def test_a_wrong_line_is_named_but_never_shown(line: str) -> None:
    with pytest.raises(KeysFileError, match=r"^line 2: ") as caught:
        parse_keys(f"{KEY}\n{line}\n")
    assert line not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"X-API-Key": KEY},
        {"X-API-Key": OTHER},
    ],
)
def test_either_header_opens(serve: Serve, keys_file: Path, headers: dict[str, str]) -> None:
    client = serve(api_keys_file=keys_file)
    assert client.post(ANALYZE, json={"text": "好"}, headers=headers).status_code == 200
    assert client.get("/v2/models/tiny", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": KEY},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": "shop=" + KEY},
        {"X-API-Key": "line-4"},
    ],
)
def test_without_a_valid_key_the_door_is_shut(
    serve: Serve, keys_file: Path, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = serve(api_keys_file=keys_file)
    response = client.post(ANALYZE, json={"text": "好"}, headers=headers)
    assert_error(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="sentiment-service"'
    for path in ("/v2", "/v2/models/tiny", "/api/v1/nothing", "/%61pi/v1/sentiment/analyze"):
        assert client.get(path, headers=headers).status_code == 401, path
    for secret in (KEY, OTHER, KEY[:-1]):
        assert secret not in caplog.text
        assert secret not in response.text


@pytest.mark.parametrize("path", OPEN)
def test_probes_metrics_and_pages_stay_open(serve: Serve, keys_file: Path, path: str) -> None:
    assert serve(api_keys_file=keys_file).get(path).status_code == 200


def swap_file(path: Path, text: str) -> None:
    path.write_text(text)


def swap_link(path: Path, text: str) -> None:
    """As the kubelet does: a new directory, and the link swung over."""
    new = path.parent / "..new"
    new.write_text(text)
    link = path.parent / "..link"
    link.symlink_to(new)
    link.replace(path)


@pytest.mark.parametrize("swap", [swap_file, swap_link])
def test_the_file_is_read_again_when_it_changes(
    keys_file: Path, swap: Callable[[Path, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    ring = KeyRing(keys_file, clock=lambda: now)

    def name(key: str) -> str | None:
        return ring.name_of(Headers({"X-API-Key": key}))

    assert (name(KEY), name(OTHER)) == ("shop", "line-4")
    swap(keys_file, f"new={KEY[::-1]}\n")
    now = 10
    assert (name(KEY), name(KEY[::-1])) == (None, "new")
    swap_file(keys_file, "short\n")
    now = 20
    assert name(KEY[::-1]) == "new", "the last good keys stay valid"
    assert "line 1" in caplog.text
    keys_file.unlink()
    now = 30
    assert name(KEY[::-1]) == "new"
    swap_file(keys_file, "")
    now = 40
    assert name(KEY[::-1]) is None, "an empty file admits nobody"


def test_a_missing_keys_file_ends_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sentiment_service.__main__ import main

    assert main(["serve", "--api-keys-file", str(tmp_path / "none")]) == 2
    assert "API_KEYS_FILE" in capsys.readouterr().err


def test_other_origins_are_shut_out_by_default(serve: Serve) -> None:
    response = serve().get("/health", headers={"Origin": "https://app.example"})
    assert "access-control-allow-origin" not in response.headers


def test_a_named_origin_may_call(serve: Serve, keys_file: Path) -> None:
    client = serve(cors_allow_origins="https://app.example,https://b.example", api_keys_file=keys_file)
    asks = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    preflight = client.options(ANALYZE, headers=asks)
    assert preflight.status_code == 200, "a preflight carries no key"
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert client.options(ANALYZE, headers={**asks, "Origin": "https://evil.example"}).status_code == 400
    refused = client.post(ANALYZE, json={"text": "好"}, headers={"Origin": "https://app.example"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in refused.headers


@pytest.mark.parametrize("prefix", ["", "/sentiment"], ids=["stripped by the proxy", "passed on"])
def test_behind_a_path_prefix(serve: Serve, keys_file: Path, prefix: str) -> None:
    client = serve(root_path="/sentiment", api_keys_file=keys_file, max_body_bytes=1024)
    key = {"X-API-Key": KEY}
    assert client.get(prefix + "/livez").status_code == 200
    assert client.post(prefix + ANALYZE, json={"text": "好"}, headers=key).status_code == 200
    assert_error(client.post(prefix + ANALYZE, json={"text": "好"}), 401, "unauthorized")
    assert_error(client.post(prefix + ANALYZE, content=b"x" * 1025, headers=key), 413, "payload_too_large")
    assert client.get(prefix + "/v2/models/other", headers=key).json().keys() == {"error"}
    assert client.get(prefix + "/openapi.json").json()["servers"] == [{"url": "/sentiment"}]
    assert f'endpoint="{ANALYZE}",model="",status="200"' in client.get(prefix + "/metrics").text
