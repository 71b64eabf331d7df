"""What a file is: encoding, delimiter, header, and which column holds the texts. Pure.

The same rules as the web page's (web/src/batch/sniff.ts), so that both read a file alike.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

_TEXT_NAMES = re.compile(
    r"text|texts|content|comment|comments|review|reviews|message|feedback|sentence|body|文本|内容|评论|评论内容|"
    r"评价|评价内容|正文|留言|反馈|意见|句子|原文",
    re.IGNORECASE,
)
_KNOWN_NAMES = re.compile(
    r"id|no|date|time|name|label|score|rating|category|product|user|channel|编号|序号|日期|时间|名称|标签|评分|"
    r"类别|分类|产品|商品|用户|渠道|城市|门店|店铺",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?%?")
_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2})?")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_DELIMITERS = (",", ";", "\t", "|", "，")
# Codes such as 007 and long numbers stay text: no digit is lost.
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,10})?")


def encoding_of(sample: bytes) -> str:
    """utf-8, gb18030, utf-16-le or utf-16-be; the sample may end inside a character."""
    if sample.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if sample.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    # Line ends, digits and Latin letters of UTF-16 have a zero byte on the same side; a stray NUL has not.
    if max(even, odd) > len(sample) / 20 and min(even, odd) * 4 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    # Text of one reads as next to nothing in the other, so a few lines of another encoding don't decide.
    return "utf-8" if _readable(sample, "utf-8") or not _readable(sample, "gb18030") else "gb18030"


def _readable(sample: bytes, encoding: str) -> bool:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    unreadable = text.count("\ufffd")
    return unreadable * 2 <= sum(char > "\x7f" for char in text) - unreadable


def delimiter_of(text: str) -> str:
    """The one that cuts most lines into the same number of cells; none when no one does."""
    lines = [
        line for line in re.split(r"\r\n|\r|\n", _QUOTED.sub('""', text), maxsplit=50)[:50] if line.strip()
    ]
    best, best_score = "", 0.0
    for delimiter in _DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        if not counts or not counts[0]:
            continue
        share = counts.count(counts[0]) / len(counts)
        # The Chinese comma belongs to sentences: it must be perfectly regular, and on several lines.
        if delimiter == "，" and (share < 1 or len(lines) < 3):
            continue
        score = share + min(counts[0], 20) / 100
        if share >= 0.6 and score > best_score:
            best, best_score = delimiter, score
    return best


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns."""
    if len(rows) < 2:
        return False
    cells = [cell.strip() for cell in rows[0]]
    if any(_TEXT_NAMES.fullmatch(cell) or _KNOWN_NAMES.fullmatch(cell) for cell in cells):
        return True
    if len(cells) < 2 or len(set(cells)) < len(cells):
        return False
    if any(not cell or len(cell) > 20 or _special(cell) for cell in cells):
        return False
    return any(_unlike(cell, _column(rows[1:], column)) for column, cell in enumerate(cells))


def _unlike(name: str, cells: Sequence[str]) -> bool:
    below = [cell for cell in cells if cell]
    average = sum(map(len, below)) / (len(below) or 1)
    return sum(map(_special, below)) > len(below) / 2 or average > 3 * len(name)


def text_column(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """By its name, else the column with the longest cells that are no numbers."""
    for index, column in enumerate(columns):
        if _TEXT_NAMES.fullmatch(column.strip()):
            return index
    lengths = [
        sum(len(cell) for cell in _column(rows, index) if not _special(cell)) for index in range(len(columns))
    ]
    return max(range(len(columns)), key=lambda index: (lengths[index], -index))


def number(cell: str) -> float | None:
    """The number that the cell is, if writing it as one loses no digit."""
    return float(cell) if len(cell) <= 16 and _PLAIN_NUMBER.fullmatch(cell) else None


def _special(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.match(cell))


def _column(rows: Sequence[Sequence[str]], index: int) -> list[str]:
    return [row[index].strip() if index < len(row) else "" for row in rows]
