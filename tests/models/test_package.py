"""A package is what it says, or is refused; the committed one too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sentiment_models import package

BUNDLED = Path(__file__).parents[2] / "service" / "sentiment_service" / "bundled"


def produce_checkpoint(folder: Path) -> None:
    for name in package.FILES["torch"]:
        (folder / name).write_text("{}")


def produce(folder: Path) -> None:
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.bin").write_bytes(b"\0\1\2")
    (folder / "tokenizer.json").write_text("{}")


def test_round_trip_and_replacement(tmp_path: Path) -> None:
    out = tmp_path / "model"
    written = package.write(out, {"name": "one"}, produce)
    assert package.verify(out) == written
    package.write(out, {"name": "two"}, produce)
    assert package.verify(out)["name"] == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert written["files"]["model.bin"]["bytes"] == 3
    assert written["digest"].startswith("sha256:")


def test_a_failed_write_leaves_the_old_package_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "model"
    package.write(out, {"name": "one"}, produce)

    def half(folder: Path) -> None:
        (folder / "model.xml").write_text("<net/>")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        package.write(out, {"name": "two"}, half)
    with pytest.raises(package.PackageError, match=r"model\.xml, model\.bin, .* or config\.json, model"):
        package.write(out, {"name": "two"}, lambda folder: (folder / "model.xml").touch())
    assert package.verify(out)["name"] == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("made", "name"),
    [
        *((produce, name) for name in package.FILES["openvino"]),
        *((produce_checkpoint, name) for name in package.FILES["torch"]),
    ],
)
def test_a_changed_or_missing_file_is_refused(
    tmp_path: Path, made: Callable[[Path], None], name: str
) -> None:
    out = tmp_path / "model"
    package.write(out, {}, made)
    (out / name).write_bytes(b"else")
    with pytest.raises(package.PackageError, match=name):
        package.verify(out)
    (out / name).unlink()
    with pytest.raises(package.PackageError, match="missing"):
        package.verify(out)


def test_a_changed_manifest_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "model"
    manifest = package.write(out, {}, produce)
    (out / "model.json").write_text(json.dumps({**manifest, "digest": "sha256:0"}))
    with pytest.raises(package.PackageError, match="digest"):
        package.verify(out)
    (out / "model.json").write_text("{")
    with pytest.raises(package.PackageError, match="readable"):
        package.verify(out)


def test_the_bundled_package_holds() -> None:
    manifest = package.verify(BUNDLED)
    assert sum(file["bytes"] for file in manifest["files"].values()) <= 10 * 2**20
    assert manifest["name"] == "bundled-structbert-tiny-chinese"
    assert manifest["labels"] == ["负面", "正面"]
    assert manifest["precision"] == "int8"
    assert manifest["neutral"]["low"] <= manifest["threshold"] <= manifest["neutral"]["high"]
    assert sorted(path.name for path in BUNDLED.iterdir()) == sorted(
        [*package.FILES["openvino"], "model.json"]
    )


def test_the_bundled_package_is_as_good_as_the_card_promises() -> None:
    manifest = package.verify(BUNDLED)
    best_baseline = max(base["accuracy"] for base in manifest["baselines"].values())
    assert manifest["accuracy"]["int8"] >= best_baseline + 0.01
    assert manifest["accuracy"]["fp32"] - manifest["accuracy"]["int8"] <= 0.005
    assert manifest["ece"] <= 0.03
