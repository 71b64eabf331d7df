"""CHANGELOG.md, in the form of keepachangelog.com: its faults, and the notes of a version. Pure."""

import re
from dataclasses import dataclass
from datetime import date

UNRELEASED = "Unreleased"
_TITLE = re.compile(r"^## (.+)$", re.M)
_RELEASED = re.compile(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Section:
    """What changed in one version."""

    title: str
    notes: str

    @property
    def version(self) -> str:
        return self.title.partition(" - ")[0]


def sections(text: str) -> list[Section]:
    """The newest first, as they stand."""
    parts = _TITLE.split(text)[1:]
    return [Section(title, notes.strip()) for title, notes in zip(parts[::2], parts[1::2], strict=True)]


def faults(text: str) -> list[str]:
    """What is wrong with the form; empty where nothing is."""
    found = sections(text)
    if not found or found[0].title != UNRELEASED:
        return [f"the first section is not {UNRELEASED}"]
    wrong, numbers = [], []
    for section in found[1:]:
        if match := _RELEASED.fullmatch(section.title):
            numbers.append(tuple(map(int, match.groups()[:3])))
            if not section.notes:
                wrong.append(f"{section.title} says nothing")
        else:
            wrong.append(f"{section.title!r} is not VERSION - DATE")
    if numbers != sorted(set(numbers), reverse=True):
        wrong.append("the versions do not fall")
    return wrong


def open_points(text: str, version: str) -> list[str]:
    """Why this is no release of `version`; empty where it is one."""
    pending, *released = sections(text)
    points = []
    if pending.notes:
        points.append(f"CHANGELOG.md has changes under {UNRELEASED}")
    if not released or released[0].version != version:
        points.append(f"CHANGELOG.md's newest section is not {version}'s")
    return points


def notes(text: str, version: str) -> str:
    """What a version's users are told; of one that is not released, what it will be."""
    found = sections(text)
    return next((one.notes for one in found if one.version == version), found[0].notes)


def cut(text: str, version: str, today: date) -> str:
    """The text with what is unreleased as `version`."""
    head, title, rest = text.partition(f"## {UNRELEASED}\n")
    return f"{head}{title}\n## {version} - {today.isoformat()}\n{rest}"


def main() -> int:
    """`python -m e2e.release.changelog VERSION`: what is unreleased becomes that version, of today."""
    import sys

    from ..cluster.paths import REPO

    path = REPO / "CHANGELOG.md"
    path.write_text(cut(path.read_text(), sys.argv[1], date.today()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
