"""The hubs' own client libraries, unchanged, against servers that speak their API; S3 against moto's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import faults, package
from sentiment_models.sources import fetch, spec
from sentiment_models.sources.credentials import Credentials

from tests.models.hub_server import COMMIT, Fault, Hub, serve

pytestmark = pytest.mark.models

FILES = {
    "config.json": b'{"model_type": "bert"}', "vocab.txt": b"[PAD]\n", "model.safetensors": b"\1" * 3_000_000,
    "modeling_evil.py": b"raise SystemExit", "README.md": b"# x",
}  # fmt: skip
REFUSALS = [
    (401, faults.SourceUnauthorized),
    (403, faults.SourceForbidden),
    (429, faults.SourceRateLimited),
    (503, faults.SourceUnavailable),
]
PACKAGE = (package.MANIFEST, *package.FILES["openvino"])
WANTED = {"config.json", "vocab.txt", "model.safetensors"}
NOBODY = Credentials({})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("HF_HOME", "HF_HUB_CACHE", "MODELSCOPE_CACHE", "MODELSCOPE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    with serve() as running:
        running.repositories["damo/small"] = dict(FILES)
        yield running


def get(
    hub: Hub, scheme: str, work: Path, who: Credentials = NOBODY, name: str = "damo/small"
) -> fetch.Fetched:
    source = spec.parse(f"{scheme}://{name}", endpoint=hub.url)
    return fetch.fetch(source, work, who, lambda *_: None)


@pytest.mark.parametrize("scheme", ["hf", "modelscope"])
def test_only_what_is_wanted_of_the_pinned_commit_comes_once(hub: Hub, tmp_path: Path, scheme: str) -> None:
    found = get(hub, scheme, tmp_path / "w")
    assert found.revision == COMMIT
    assert {path.name for path in found.folder.iterdir() if path.is_file()} == WANTED
    assert (found.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    sent = hub.sent
    get(hub, scheme, tmp_path / "w")
    assert hub.sent == sent
    asked = [path for _, path, _ in hub.log if "resolve" in path or "FilePath" in path]
    assert asked
    assert all(COMMIT in path for path in asked)


@pytest.mark.parametrize("scheme", ["hf", "modelscope"])
def test_a_dying_hub_is_resumed(hub: Hub, tmp_path: Path, scheme: str) -> None:
    # The Hub's client writes in pieces of 10 MiB; what it holds of an unfinished one is lost.
    content = bytes(range(250)) * 48_000
    hub.repositories["damo/small"] = {"model.safetensors": content}
    hub.faults.append(Fault(end_after=11_000_000))
    found = get(hub, scheme, tmp_path / "w")
    assert (found.folder / "model.safetensors").read_bytes() == content
    assert hub.sent < 13_600_000


@pytest.mark.parametrize("scheme", ["hf", "modelscope"])
@pytest.mark.parametrize(("status", "fault"), REFUSALS)
def test_a_private_repository(
    hub: Hub, tmp_path: Path, scheme: str, status: int, fault: type[faults.Fault]
) -> None:
    hub.token, hub.refuse_with = "t0p-s3cr3t-token", status
    with pytest.raises(fault) as raised:
        get(hub, scheme, tmp_path / "w")
    assert hub.token not in str(raised.value)
    name = "HF_TOKEN" if scheme == "hf" else "MODELSCOPE_API_TOKEN"
    who = Credentials({name: hub.token})
    found = get(hub, scheme, tmp_path / "w", who)
    assert {path.name for path in found.folder.iterdir() if path.is_file()} == WANTED
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or hub.token.encode() not in path.read_bytes()


@pytest.mark.parametrize("scheme", ["hf", "modelscope"])
def test_what_is_not_there(hub: Hub, tmp_path: Path, scheme: str) -> None:
    with pytest.raises(faults.SourceNotFound):
        get(hub, scheme, tmp_path / "w", name="damo/none")
    with pytest.raises(faults.SourceNotFound):
        get(hub, scheme, tmp_path / "w", name="damo/small@v9")
    with pytest.raises(faults.SourceOffline):
        fetch.fetch(
            spec.parse(f"{scheme}://damo/small", offline=True), tmp_path / "w", NOBODY, lambda *_: None
        )


@pytest.mark.parametrize(("scheme", "variable"), [("hf", "HF_HUB_CACHE"), ("modelscope", "MODELSCOPE_CACHE")])
def test_offline_takes_what_the_library_cached_and_asks_nobody(
    hub: Hub, tmp_path: Path, scheme: str, variable: str
) -> None:
    cache, out = tmp_path / "library", tmp_path / "m"
    hub.repositories["damo/done"] = {name: (fetch.BUNDLED / name).read_bytes() for name in PACKAGE}
    if scheme == "hf":
        from huggingface_hub import hf_hub_download

        for name in PACKAGE:
            hf_hub_download("damo/done", name, endpoint=hub.url, token=False, cache_dir=cache)
    else:
        from modelscope_hub import HubApi

        HubApi(endpoint=hub.url).download_repo("damo/done", "model", cache_dir=cache)
    asked = len(hub.log)
    # As the Job of a SentimentModel does it: the library reads its variables when it is imported.
    command = [sys.executable, "-m", "sentiment_models", "prepare", f"{scheme}://damo/done", str(out)]
    subprocess.run([*command, "--offline", "--quiet"], check=True, env={**os.environ, variable: str(cache)})
    assert package.verify(out)["digest"] == package.verify(fetch.BUNDLED)["digest"]
    dry = subprocess.run(
        [*command, "--offline", "--dry-run"], check=True, env={**os.environ, variable: str(cache)},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    # ModelScope's client names its folders by branches, which move.
    assert json.loads(dry.stdout)["revision"].startswith(COMMIT if scheme == "hf" else "sha256-")
    assert len(hub.log) == asked


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import boto3

    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-key"}
    client = boto3.client("s3", endpoint_url=url, **keys)
    client.create_bucket(Bucket="models")
    for name, content in FILES.items():
        client.put_object(Bucket="models", Key=f"small/{name}", Body=content)
    yield url, client
    server.stop()


def test_a_bucket(s3: tuple[str, Any], tmp_path: Path) -> None:
    url, client = s3
    who = Credentials({"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-key"})
    source = spec.parse("s3://models/small", endpoint=url)
    outlook = fetch.look(source, who)
    assert set(outlook.files) == WANTED
    begun = tmp_path / "w" / str(outlook.revision)
    begun.mkdir(parents=True)
    (begun / "model.safetensors").write_bytes(FILES["model.safetensors"][:1_000_000])
    found = fetch.fetch(source, tmp_path / "w", who, lambda *_: None)
    assert found.revision == outlook.revision
    assert {path.name for path in found.folder.iterdir()} == WANTED
    assert (found.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    client.put_object(Bucket="models", Key="small/vocab.txt", Body=b"[PAD]\n[UNK]\n")
    assert fetch.look(source, who).revision != outlook.revision
    with pytest.raises(faults.SourceNotFound):
        fetch.fetch(spec.parse("s3://models/none", endpoint=url), tmp_path / "w", who, lambda *_: None)
    with pytest.raises(faults.SourceUnauthorized):
        fetch.fetch(source, tmp_path / "w2", NOBODY, lambda *_: None)


@pytest.mark.parametrize(("status", "fault"), REFUSALS)
def test_a_bucket_that_refuses(hub: Hub, tmp_path: Path, status: int, fault: type[faults.Fault]) -> None:
    hub.token, hub.refuse_with = "nobody-has-this", status
    who = Credentials({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "t0p-s3cr3t"})
    with pytest.raises(fault) as raised:
        fetch.fetch(spec.parse("s3://models/small", endpoint=hub.url), tmp_path / "w", who, lambda *_: None)
    assert "t0p-s3cr3t" not in str(raised.value)
