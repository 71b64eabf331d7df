"""Downloads against a real server with real faults."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sentiment_models import faults
from sentiment_models.sources import fetch, http, spec
from sentiment_models.sources.credentials import Credentials

from tests.models.hub_server import Fault, Hub, serve

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = http.Patience(retries=2, pause=0.01, longest=0.05, silence=0.5)
NOBODY = Credentials({})


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as running:
        running.files["/m.bin"] = CONTENT
        yield running


def get(hub: Hub, folder: Path, sha256: str | None = SHA256, who: Credentials = NOBODY) -> str:
    return http.download(f"{hub.url}/m.bin", folder / "m.bin", who, lambda *_: None, sha256, QUICK)


def test_a_file_comes_whole_and_is_not_fetched_twice(hub: Hub, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    found = http.download(
        f"{hub.url}/m.bin", tmp_path / "m.bin", NOBODY, lambda a, b: seen.append((a, b)), SHA256, QUICK
    )
    assert found == SHA256
    assert (tmp_path / "m.bin").read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert get(hub, tmp_path) == SHA256
    assert hub.sent == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["m.bin"]


def test_a_server_that_dies_again_and_again_is_resumed(hub: Hub, tmp_path: Path) -> None:
    hub.faults.extend(Fault(end_after=1_000_000) for _ in range(4))
    assert get(hub, tmp_path) == SHA256
    assert hub.ranges() == [f"bytes={n}000000-" for n in (1, 2, 3, 4)]
    assert hub.sent == len(CONTENT)


def test_a_later_start_goes_on_where_the_first_was_killed(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(end_after=3_000_000))
    hub.faults.extend(Fault(status=503) for _ in range(3))
    with pytest.raises(faults.SourceUnavailable, match="503"):
        get(hub, tmp_path)
    assert not (tmp_path / "m.bin").exists()
    assert get(hub, tmp_path) == SHA256
    assert hub.ranges()[-1] == "bytes=3000000-"
    assert hub.sent == len(CONTENT)


def test_a_server_that_falls_silent_is_left_and_resumed(hub: Hub, tmp_path: Path) -> None:
    hub.faults.extend(Fault(end_after=1_000_000, silence=True) for _ in range(2))
    assert get(hub, tmp_path) == SHA256
    assert hub.ranges() == ["bytes=1000000-", "bytes=2000000-"]
    assert hub.sent == len(CONTENT)


def test_a_note_that_was_cut_off_costs_no_more_than_the_download(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "m.bin.part").write_bytes(CONTENT[:1000])
    (tmp_path / "m.bin.part.json").write_text("")
    assert get(hub, tmp_path) == SHA256


def test_a_server_that_sends_round_in_circles_is_unavailable(hub: Hub, tmp_path: Path) -> None:
    hub.faults.extend(Fault(status=302, headers={"Location": "/m.bin?signed=S1GN3D"}) for _ in range(99))
    with pytest.raises(faults.SourceUnavailable, match="redirects") as raised:
        get(hub, tmp_path)
    assert "S1GN3D" not in str(raised.value)


def test_a_file_that_changed_meanwhile_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(end_after=2_000_000))
    hub.faults.extend(Fault(status=503) for _ in range(3))
    with pytest.raises(faults.SourceUnavailable):
        get(hub, tmp_path)
    hub.files["/m.bin"] = CONTENT[::-1]
    assert get(hub, tmp_path, None) == hashlib.sha256(CONTENT[::-1]).hexdigest()


def test_a_file_that_never_comes_whole_is_truncated(hub: Hub, tmp_path: Path) -> None:
    hub.faults.extend(Fault(end_after=0) for _ in range(9))
    with pytest.raises(faults.SourceTruncated, match=r"ended|broke off"):
        get(hub, tmp_path)


def test_a_wrong_checksum_is_refused_and_forgotten(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(faults.ChecksumMismatch, match=SHA256):
        get(hub, tmp_path, "0" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (401, faults.SourceUnauthorized),
        (403, faults.SourceForbidden),
        (404, faults.SourceNotFound),
        (429, faults.SourceRateLimited),
        (500, faults.SourceUnavailable),
    ],
)
def test_a_status_is_a_fault_with_a_remedy(
    hub: Hub, tmp_path: Path, status: int, fault: type[faults.Fault]
) -> None:
    hub.faults.extend(Fault(status=status) for _ in range(9))
    with pytest.raises(fault) as raised:
        get(hub, tmp_path)
    assert str(status) in raised.value.cause
    assert raised.value.reason == fault.__name__
    assert raised.value.remedy
    assert len(hub.log) == (3 if status in (429, 500) else 1)


def test_a_short_retry_after_is_waited_for_and_a_long_one_is_not(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(status=429, headers={"Retry-After": "0"}))
    assert get(hub, tmp_path) == SHA256
    hub.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    before = len(hub.log)
    with pytest.raises(faults.SourceRateLimited):
        get(hub, tmp_path / "other")
    assert len(hub.log) == before + 1


def test_nobody_listens(tmp_path: Path) -> None:
    with serve() as gone:
        url = gone.url
    with pytest.raises(faults.SourceUnavailable):
        http.download(f"{url}/m.bin", tmp_path / "m.bin", NOBODY, lambda *_: None, None, QUICK)


def test_credentials_are_sent_and_never_shown(hub: Hub, tmp_path: Path) -> None:
    hub.token = "s3cr3t-t0ken"  # noqa: S105
    with pytest.raises(faults.SourceUnauthorized):
        get(hub, tmp_path)
    who = Credentials({"HTTP_TOKEN": "s3cr3t-t0ken"})
    assert get(hub, tmp_path, who=who) == SHA256
    assert "s3cr3t" not in repr(who)
    assert who.redact("x s3cr3t-t0ken y") == "x *** y"
    url = hub.url.replace("http://", "http://me:pa%2Fss@") + "/gone?sig=SIGNED"
    source = spec.parse(url)
    with pytest.raises(faults.SourceUnauthorized) as raised:
        fetch.fetch(source, tmp_path / "w", NOBODY, lambda *_: None, patience=QUICK)
    for secret in ("pa%2Fss", "pa/ss", "SIGNED"):
        assert secret not in source.shown + str(raised.value)


def test_a_url_s_password_is_what_it_stands_for(hub: Hub, tmp_path: Path) -> None:
    hub.token = base64.b64encode(b"m\xc3\xa9:pa/ss").decode()
    url = hub.url.replace("http://", "http://m%C3%A9:pa%2Fss@") + "/m.bin"
    who = Credentials({})
    assert http.download(url, tmp_path / "m.bin", who, lambda *_: None, SHA256, QUICK) == SHA256
    assert who.redact("pa/ss or pa%2Fss") == "*** or ***"


def test_another_host_gets_no_credentials(hub: Hub, tmp_path: Path) -> None:
    with serve() as other:
        other.files["/m.bin"] = CONTENT
        for kind, values in (("token", {"HTTP_TOKEN": "s3cr3t"}), ("user", {"HTTP_USERNAME": "me"})):
            hub.faults.append(Fault(status=302, headers={"Location": f"{other.url}/m.bin"}))
            assert get(hub, tmp_path / kind, who=Credentials(values)) == SHA256
        assert [headers.get("authorization") for _, _, headers in other.log] == [None, None]
        assert all("authorization" in headers for _, _, headers in hub.log)


def test_a_full_disk_is_known_before_or_said_when_it_happens(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(faults.StorageFull, match="free"):
            get(hub, tmp_path)
    assert hub.sent <= len(CONTENT)
    if os.path.exists("/dev/full"):
        (tmp_path / "m.bin.part").symlink_to("/dev/full")
        with pytest.raises(faults.StorageFull, match="no space"):
            get(hub, tmp_path)


def test_an_exhausted_quota_is_called_so() -> None:
    from sentiment_models.sources import storage

    with pytest.raises(faults.StorageFull, match="quota"), storage.faults():
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(faults.StorageDenied), storage.faults():
        raise PermissionError(errno.EACCES, "Permission denied", "/models/x")
