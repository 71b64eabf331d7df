"""Copies Python, and the shared libraries that it and all below APP load, into an empty root.

`python3 rootfs.py ROOT APP`, in a Dockerfile's build stage: the image then holds no shell, no package
manager and nothing else of its base. dpkg's records of what is copied go along, a file for each package,
where scanners look for them.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

# Of the standard library: what no service needs.
_UNUSED = "config-* dist-packages ensurepip idlelib lib2to3 pydoc_data site-packages test tkinter turtledemo"
_LEFT_OUT = shutil.ignore_patterns("__pycache__", *_UNUSED.split())
_FILES = ("/etc/ld.so.conf", "/etc/nsswitch.conf", "/etc/os-release", "/etc/ssl/openssl.cnf")
# Loaded when a thread is ended, and what libraries that are mounted later ask of the C library.
_BY_NAME = (
    "libgcc_s.so.1",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
)
_PEOPLE = {
    "passwd": "root:x:0:0:root:/root:/sbin/nologin\nsentiment:x:1000:1000:sentiment:/tmp:/sbin/nologin\n",
    "group": "root:x:0:\nsentiment:x:1000:\n",
}
_DPKG = Path("/var/lib/dpkg")


class Root:
    """The root that is filled, and what of the base lies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: set[str] = set()

    def add(self, source: Path) -> None:
        """Copy a file to where the base really has it, under the name that it was asked for by."""
        place = source.parent.resolve() / source.name
        target = self.path / place.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        self.taken |= {str(place), str(source.resolve())}

    def add_tree(self, source: Path) -> None:
        """Copy a folder without what no service needs."""
        target = self.path / source.relative_to("/")
        shutil.copytree(source, target, ignore=_LEFT_OUT, dirs_exist_ok=True)
        self.taken |= {f"/{copied.relative_to(self.path)}" for copied in target.rglob("*")}

    def link(self, place: Path, target: str) -> None:
        """Make a symbolic link."""
        made = self.path / place.relative_to("/")
        made.parent.mkdir(parents=True, exist_ok=True)
        if not made.is_symlink():
            made.symlink_to(target)


def interpreter(root: Root, app: Path) -> Path:
    """Copy the program that the virtual environment's `python` is a link to; where it lies."""
    python = app / "bin/python"
    while python.is_symlink():
        if not python.is_relative_to(app):
            root.link(python, os.readlink(python))
        python = Path(os.path.normpath(python.parent / os.readlink(python)))
    root.add(python)
    return python


def libraries(programs: Iterable[Path], app: Path) -> Iterator[Path]:
    """What the loader finds for them outside of the application."""
    told = subprocess.run(["/usr/bin/ldd", *programs], capture_output=True, text=True, check=False).stdout
    for found in sorted(set(re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", told, re.M))):
        if not Path(found).resolve().is_relative_to(app):
            yield Path(found)


def records(root: Root) -> None:
    """dpkg's records of the packages that something was taken of."""
    owners = {
        str(Path(line).parent.resolve() / Path(line).name): listing.stem.partition(":")[0]
        for listing in _DPKG.glob("info/*.list")
        for line in listing.read_text().splitlines()
    }
    packages = {owners[place] for place in root.taken if place in owners}
    folder = root.path / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    for stanza in (_DPKG / "status").read_text().split("\n\n"):
        if (match := re.match(r"Package: (\S+)", stanza)) and match[1] in packages:
            (folder / match[1]).write_text(stanza + "\n")


def main(root: Root, app: Path) -> None:
    """Fill the root."""
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path(f"/{name}").is_symlink():
            root.link(Path(f"/{name}"), os.readlink(f"/{name}"))
    python = interpreter(root, app)
    standard = Path(sysconfig.get_path("stdlib"))
    root.add_tree(standard)
    root.add_tree(Path("/etc/ld.so.conf.d"))
    programs = [python, *standard.rglob("*.so"), *app.rglob("*.so*")]
    found = list(libraries(programs, app))
    folders = {one.parent for one in found}
    found += [path for folder in folders for name in _BY_NAME if (path := folder / name).exists()]
    for path in [*found, *filter(Path.exists, map(Path, _FILES))]:
        root.add(path)
    for name, text in _PEOPLE.items():
        (root.path / "etc" / name).write_text(text)
    (root.path / "tmp").mkdir(mode=0o1777)
    (root.path / "tmp").chmod(0o1777)
    records(root)
    subprocess.run(["/sbin/ldconfig", "-r", root.path], check=True)
    shutil.rmtree(root.path / "var/cache", ignore_errors=True)
    # Valid whatever time the files are given: an image that is built again is the same.
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = root.path / standard.relative_to("/")
    compileall.compile_dir(
        compiled, quiet=2, workers=0, stripdir=root.path, prependdir="/", invalidation_mode=mode
    )
    compileall.compile_dir(app / "lib", quiet=2, workers=0, invalidation_mode=mode)


if __name__ == "__main__":
    main(Root(Path(sys.argv[1])), Path(sys.argv[2]))
