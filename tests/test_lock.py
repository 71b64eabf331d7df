"""What the lock file holds: every library of the images as a wheel for both architectures and each Python."""

import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parent.parent
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
EXTRAS = ("service", "otel", "cli", "operator", "kubectl", "packages")
# Debian 12 has glibc 2.36; what is built for an older one runs too.
_GLIBC = 36


def environment(machine: str, python: str) -> dict[str, str]:
    return {
        "platform_machine": machine,
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_version": f"{python}.9",
    }


def applies(found: dict[str, Any], where: dict[str, str]) -> bool:
    marks = found.get("resolution-markers", ())
    return not marks or any(Marker(mark).evaluate(where) for mark in marks)


def needed(where: dict[str, str]) -> list[dict[str, Any]]:
    """The locked packages that the images' extras come to, without the project itself."""
    packages: dict[str, dict[str, Any]] = {}
    for found in LOCK["package"]:
        if applies(found, where):
            packages[found["name"]] = found
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    open_ = [("sentiment-operator", extra) for extra in EXTRAS]
    while open_:
        name, extra = key = open_.pop()
        if key in seen:
            continue
        found = seen[key] = packages[name]
        wanted = (
            found.get("optional-dependencies", {}).get(extra, ()) if extra else found.get("dependencies", ())
        )
        for one in wanted:
            if "marker" not in one or Marker(one["marker"]).evaluate({**where, "extra": extra}):
                open_ += [(one["name"], ""), *((one["name"], more) for more in one.get("extra", ()))]
    return list({one["name"]: one for one in seen.values() if one["name"] != "sentiment-operator"}.values())


def accepted(machine: str, python: str) -> frozenset[Tag]:
    """The tags of wheels that pip would take there."""
    major, minor = map(int, python.split("."))
    names = [*(f"manylinux_2_{glibc}" for glibc in range(_GLIBC, 4, -1)), "manylinux2014", "manylinux2010"]
    platforms = [f"{name}_{machine}" for name in names]
    tags = (
        cpython_tags((major, minor), platforms=platforms),
        compatible_tags((major, minor), platforms=platforms),
    )
    return frozenset(chain.from_iterable(tags))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_library_comes_as_a_wheel(machine: str, python: str) -> None:
    found = needed(environment(machine, python))
    assert {"openvino", "tokenizers", "aiohttp", "pydantic-core"} <= {one["name"] for one in found}
    assert len(found) > 50
    tags = accepted(machine, python)
    for one in found:
        wheels = [parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3] for wheel in one.get("wheels", ())]
        assert any(wheel & tags for wheel in wheels), one["name"]
