"""The changelog's form, and what is made of it."""

from datetime import date

import pytest

from e2e.cluster.paths import REPO
from e2e.release.changelog import cut, faults, notes, open_points
from e2e.version import VERSION, generated

GOOD = """# Changelog

## Unreleased

## 0.2.0 - 2026-12-01

- More.

## 0.1.0 - 2026-11-25

- Something.
"""


def test_ours_is_in_order() -> None:
    assert faults((REPO / "CHANGELOG.md").read_text()) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("## Unreleased\n", "", "the first section is not Unreleased"),
        ("## 0.2.0 - 2026-12-01", "## 0.2 - 2026-12-01", "'0.2 - 2026-12-01' is not VERSION - DATE"),
        ("## 0.2.0 - 2026-12-01", "## 0.2.0", "'0.2.0' is not VERSION - DATE"),
        ("- More.\n", "", "0.2.0 - 2026-12-01 says nothing"),
        ("## 0.2.0", "## 0.0.9", "the versions do not fall"),
        ("## 0.2.0", "## 0.1.0", "the versions do not fall"),
    ],
)
def test_what_is_wrong_is_said(before: str, after: str, said: str) -> None:
    assert faults(GOOD) == []
    assert faults(GOOD.replace(before, after)) == [said]


def test_a_release_has_its_section_and_nothing_pending() -> None:
    assert open_points(GOOD, "0.2.0") == []
    assert open_points(GOOD, "0.3.0") == ["CHANGELOG.md's newest section is not 0.3.0's"]
    pending = GOOD.replace("Unreleased\n", "Unreleased\n\n- Yet more.\n")
    assert open_points(pending, "0.2.0") == ["CHANGELOG.md has changes under Unreleased"]
    assert notes(pending, "0.1.0") == "- Something."
    assert notes(pending, "0.3.0") == "- Yet more."
    released = cut(pending, "0.3.0", date(2026, 12, 24))
    assert faults(released) == open_points(released, "0.3.0") == []
    assert "## Unreleased\n\n## 0.3.0 - 2026-12-24\n\n- Yet more.\n\n## 0.2.0" in released


def test_every_file_names_the_version_of_pyproject() -> None:
    assert [path.name for path, text in generated().items() if path.read_text() != text] == []
    other = generated("9.8.7")
    assert all(
        text.count("9.8.7") == (2 if "Chart" in path.name or "lock" in path.name else 1)
        for path, text in other.items()
    )
    assert VERSION not in other[REPO / "charts/sentiment-operator/Chart.yaml"]
