"""Rows out of what people have: broken quotes, uneven lines, endless lines, JSON of all sorts."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiment_service.cli.records import MAX_RECORD, delimited, json_lines, lines
from sentiment_service.cli.source import Source, SourceError


def _read(text: str, delimiter: str = ",") -> tuple[list[tuple[int, list[str]]], list[tuple[int, str]]]:
    troubles: list[tuple[int, str]] = []
    numbered = lines([text], lambda *one: troubles.append(one))
    rows = delimited(numbered, delimiter, lambda *one: troubles.append(one))
    return [(row.line, row.cells) for row in rows], troubles


def test_quotes_line_ends_and_empty_rows() -> None:
    text = 'a,b\r\n"x\ny","z""w"\r\r\n,\n1" x,2\n'
    assert _read(text) == ([(1, ["a", "b"]), (2, ["x\ny", 'z"w']), (6, ['1" x', "2"])], [])


def test_a_quote_that_is_never_closed_costs_its_own_line_alone() -> None:
    rows, troubles = _read('a,b\n"open,1\nc,d\ne,f\n')
    assert rows == [(1, ["a", "b"]), (2, ['"open', "1"]), (3, ["c", "d"]), (4, ["e", "f"])]
    assert [line for line, _ in troubles] == [2]


def test_a_quote_that_swallows_a_megabyte_is_none() -> None:
    many = 20_000
    rows, troubles = _read('"open,1\n' + ("x" * 98 + ",2\n") * many)
    assert len(rows) == many + 1
    assert [line for line, _ in troubles] == [1]


def test_a_line_without_end_is_skipped() -> None:
    chunks = ["a\n", *["x" * 100_000] * 20, "\nb\n"]
    troubles: list[int] = []
    assert [text for _, text in lines(chunks, lambda line, _: troubles.append(line))] == ["a\n", "b\n"]
    assert troubles == [2]
    assert MAX_RECORD < 20 * 100_000


@given(st.text(alphabet="a\r\n", max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_lines_do_not_depend_on_how_the_text_arrives(text: str, cuts: list[int]) -> None:
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[begin:end] for begin, end in pairwise(at)]
    found = [line for _, line in lines(chunks, lambda *_: None)]
    assert found == io.StringIO(text, newline="").readlines()


def test_json_lines() -> None:
    columns: list[str] = []
    troubles: list[int] = []
    given = ['{"text": "好", "n": 1}', "", "nonsense", '"差"', "[1]", '{"more": {"a": null}, "n": null}']
    rows = list(json_lines(enumerate(given, 1).__iter__(), columns, lambda line, _: troubles.append(line)))
    assert columns == ["text", "n", "more"]
    assert [row.cells for row in rows] == [["好", "1"], ["差", ""], ["", "", '{"a": null}']]
    assert troubles == [3, 5]


def _open(content: bytes, name: str = "x.csv", column: str | None = None) -> Source:
    return Source(io.BytesIO(content), name, column, lambda *_: None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be"])
def test_encoding_header_and_column_are_found(encoding: str) -> None:
    source = _open("编号;评论\n1;很好\n2;太差了\n".encode(encoding))
    assert (source.columns, source.text, source.header) == (["编号", "评论"], 1, True)
    assert [row.cells for row in source.rows()] == [["1", "很好"], ["2", "太差了"]]
    assert source.read_bytes == len("编号;评论\n1;很好\n2;太差了\n".encode(encoding))


def test_a_column_is_chosen_by_name_or_number() -> None:
    content = "a,b\n很好,12\n".encode()
    assert _open(content, column="b").text == 1
    assert _open(content, column="1").text == 0
    with pytest.raises(SourceError, match="there is no column 'c'; there are: a, b"):
        _open(content, column="c")


def test_text_has_one_column_whatever_its_commas() -> None:
    source = _open("很好，喜欢\n不错,还行\n".encode(), "x.txt")
    assert [row.cells for row in source.rows()] == [["很好，喜欢"], ["不错,还行"]]


def test_uneven_rows_are_told() -> None:
    troubles: list[str] = []
    content = b"id,text\n1,a\n2\n3,b,c\n4,d,\n"
    source = Source(io.BytesIO(content), "x.csv", None, lambda line, what: troubles.append(f"{line} {what}"))
    # The sample has three columns, so nothing is left out.
    assert source.columns == ["id", "text", "column 3"]
    assert [row.cells for row in source.rows()] == [
        ["1", "a", ""],
        ["2", "", ""],
        ["3", "b", "c"],
        ["4", "d", ""],
    ]
    assert troubles == []


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"PK\x03\x04", "save it as CSV"), (b"\n \n", "is empty")]
)
def test_what_can_not_be_read_says_so(content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        _open(content)
