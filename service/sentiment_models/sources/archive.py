"""tar and zip, unpacked without trust: plain files only, inside the folder only, not more than allowed."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from sentiment_models.faults import ArchiveTooLarge, ArchiveUnreadable, ArchiveUnsafe
from sentiment_models.sources import storage

MAX_BYTES = 16 * 2**30
MAX_FILES = 2000
_CHUNK = 1 << 20
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Unpack into `folder`, which is made. Counts what really comes out, not what the headers say."""
    left = max_bytes
    folder.mkdir(parents=True)
    try:
        with storage.faults():
            for number, (name, stream) in enumerate(_members(archive)):
                if number >= MAX_FILES:
                    raise ArchiveTooLarge(f"{archive.name} holds more than {MAX_FILES} files",
                                          "Pack only the checkpoint's own files.")  # fmt: skip
                target = folder / _safe(archive, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as out:
                    while chunk := stream.read(_CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            raise ArchiveTooLarge(f"{archive.name} unpacks to more than {max_bytes} bytes")
                        out.write(chunk)
    except FileExistsError as error:
        raise ArchiveUnsafe(f"{archive.name} holds {error.filename} twice") from error
    except _BROKEN as error:
        raise ArchiveUnreadable(f"{archive.name}: {error}") from error
    except OSError as error:  # gzip and bz2 say so of damaged data, without an errno
        if error.errno is None:
            raise ArchiveUnreadable(f"{archive.name}: {error}") from error
        raise


def _safe(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in name:
        raise ArchiveUnsafe(f"{archive.name} holds {name!r}, which would leave the folder")
    return path


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as pack:
            for entry in pack.infolist():
                kind = (entry.external_attr >> 16) & 0o170000
                if kind not in (0, 0o100000, 0o040000):
                    raise ArchiveUnsafe(f"{archive.name} holds {entry.filename!r}, a link or device")
                if entry.flag_bits & 1:
                    raise ArchiveUnreadable(f"{archive.name} is encrypted")
                if not entry.is_dir():
                    with pack.open(entry) as stream:
                        yield entry.filename, stream
        return
    with tarfile.open(archive, "r:*") as ball:
        for member in ball:
            if member.isdir():
                continue
            if not member.isfile():
                raise ArchiveUnsafe(f"{archive.name} holds {member.name!r}, a link or device")
            content = ball.extractfile(member)
            assert content is not None
            yield member.name, content
