"""What is said about one row, and how it looks in the files that are written."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from sentiment_service.engine.decide import Prediction

COLUMNS = ("sentiment", "english_label", "confidence", "positive", "truncated", "error")


class Outcome(NamedTuple):
    """An answer, or `error` when this text alone has none."""

    sentiment: str = ""
    english_label: str = ""
    confidence: float = 0.0
    positive: float = 0.0
    truncated: bool = False
    error: str = ""

    def cells(self) -> list[str | float]:
        """In the order of COLUMNS."""
        if self.error:
            return ["", "", "", "", "", self.error]
        truncated = "yes" if self.truncated else ""
        return [self.sentiment, self.english_label, self.confidence, self.positive, truncated, ""]

    def document(self) -> dict[str, object]:
        """For JSON."""
        if self.error:
            return {"error": self.error}
        found = self._asdict()
        del found["error"]
        return found


def outcome_of(prediction: Prediction) -> Outcome:
    return Outcome(
        prediction.sentiment.chinese,
        prediction.sentiment.english,
        round(prediction.confidence, 4),
        round(prediction.positive, 4),
        prediction.truncated,
    )


def to_line(outcome: Outcome) -> str:
    return json.dumps(outcome, ensure_ascii=False) + "\n"


def from_line(line: str) -> Outcome:
    return Outcome(*json.loads(line))


def fresh_names(names: tuple[str, ...], taken: list[str]) -> list[str]:
    """The names, with underscores where a column of the file is called so."""
    fresh = []
    for name in names:
        while name in taken:
            name += "_"
        fresh.append(name)
    return fresh


def harmless(cell: str) -> str:
    """Keeps a spreadsheet from running a cell: OWASP's rule, full width included; a plain number stays one.

    Also inside the cell: a spreadsheet that takes `;` for the delimiter begins new cells there.
    """
    if re.fullmatch(r"-?\d+(\.\d+)?", cell):
        return cell
    return re.sub(r"^(?=[=+\-@\t\r\n＝＋－＠])|(?<=[;\t\r\n])(?=[=+\-@＝＋－＠])", "'", cell)
