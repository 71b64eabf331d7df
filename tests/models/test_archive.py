"""Archives that mean well, and such that do not."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from sentiment_models import faults
from sentiment_models.sources import archive


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as ball:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            ball.addfile(info, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_plain_files_come_out(tmp_path: Path, mode: str) -> None:
    made = tar(tmp_path / "a.tar", (entry("m/config.json"), b"{}"), (entry("m/v.txt"), b"x"), mode=mode)
    archive.unpack(made, tmp_path / "out")
    assert (tmp_path / "out/m/config.json").read_bytes() == b"{}"


def test_zip_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("m/config.json", "{}")
    archive.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out/m/config.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["../evil", "m/../../evil", "/etc/evil", "..\\evil", "C:\\evil"])
def test_nothing_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr(name, "x")
    for made in (tmp_path / "a.zip", tar(tmp_path / "a.tar", (entry(name), b"x"))):
        with pytest.raises(faults.ArchiveUnsafe, match="leave the folder"):
            archive.unpack(made, tmp_path / made.suffix.strip("."))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    made = tar(tmp_path / "a.tar", (entry("m", kind, "/etc"), b""), (entry("m/passwd"), b"x"))
    with pytest.raises(faults.ArchiveUnsafe, match="link or device"):
        archive.unpack(made, tmp_path / "out")


def test_a_symlink_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("m")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr(info, "/etc")
    with pytest.raises(faults.ArchiveUnsafe, match="link or device"):
        archive.unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("m", b"\0" * 20_000_000)
    assert (tmp_path / "a.zip").stat().st_size < 100_000
    for made in (tmp_path / "a.zip", tar(tmp_path / "a.tgz", (entry("m"), b"\0" * 20_000_000))):
        out = tmp_path / made.suffix.strip(".")
        with pytest.raises(faults.ArchiveTooLarge, match="5000000"):
            archive.unpack(made, out, max_bytes=5_000_000)
        assert sum(path.stat().st_size for path in out.rglob("*")) <= 5_000_000


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 5)
    made = tar(tmp_path / "a.tar", *((entry(f"m{n}"), b"") for n in range(6)))
    with pytest.raises(faults.ArchiveTooLarge, match="5 files"):
        archive.unpack(made, tmp_path / "out")


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    made = tar(tmp_path / "a.tar", (entry("m"), b"1"), (entry("m"), b"2"))
    with pytest.raises(faults.ArchiveUnsafe, match="twice"):
        archive.unpack(made, tmp_path / "out")


def test_what_is_cut_off_or_no_archive_is_unreadable(tmp_path: Path) -> None:
    whole = tar(tmp_path / "a.tgz", (entry("m"), bytes(range(256)) * 999)).read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "page.html").write_text("<html>not found</html>")
    for name in ("cut.tgz", "page.html"):
        with pytest.raises(faults.ArchiveUnreadable, match=name):
            archive.unpack(tmp_path / name, tmp_path / f"out-{name}")
