"""The built files are what the sources give, byte for byte; the sources' own checks pass."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from e2e.cluster.paths import REPO
from e2e.webtools import BUILT, TYPES, WEB, build, install_packages, node, write_types

pytestmark = pytest.mark.browser


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_built_page_is_current(tmp_path: Path) -> None:
    build(tmp_path / "built")
    found, wanted = _files(BUILT), _files(tmp_path / "built")
    assert found.keys() == wanted.keys(), "run `make generate`"
    assert [name for name in wanted if found[name] != wanted[name]] == [], "run `make generate`"


def test_the_types_of_the_api_are_current(tmp_path: Path) -> None:
    write_types(tmp_path / "index.d.ts")
    assert (TYPES / "index.d.ts").read_text() == (tmp_path / "index.d.ts").read_text(), "run `make generate`"


def test_a_wheel_holds_the_built_page_and_the_table_of_reasons(tmp_path: Path) -> None:
    uv = subprocess.check_output([REPO / "e2e" / "bootstrap.sh"], text=True).strip()
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, REPO], check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        place = zipfile.Path(packed, "sentiment_service/web/")
        for name, content in _files(BUILT).items():
            assert place.joinpath(name).read_bytes() == content, name
        reasons = packed.read("sentiment_operator/kubectl/troubleshooting.md")
    assert reasons == (REPO / "docs/troubleshooting.md").read_bytes()


def test_the_sources_are_well_typed() -> None:
    install_packages()
    node("node_modules/typescript/bin/tsc", "--noEmit")


def test_the_sources_own_tests() -> None:
    install_packages()
    report = node("--test", *sorted((WEB / "test").glob("*.test.ts")))
    assert "fail 0" in report


def test_the_locks_name_no_registry() -> None:
    for folder in (WEB, TYPES):
        assert "://registry" not in (folder / "package-lock.json").read_text()
