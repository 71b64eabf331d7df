"""`sentiment-service analyze` as people run it: a real engine, real files, a real kill."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from sentiment_service.__main__ import main

from tests.service.running import wait_for

SOURCES = Path(__file__).parents[3] / "service"
COMMAND = [sys.executable, "-m", "sentiment_service", "analyze"]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "评论.csv"
    path.write_bytes("编号,评论,备注\n007,好,=1+1\n2,差,x\n3,,y\n4,平,-2.5\n".encode("gb18030"))
    return path


def test_a_table_for_people(reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(reviews)]) == 0
    seen = capsys.readouterr()
    assert [line.split()[:2] for line in seen.out.splitlines()] == [
        ["积极", "99.8%"],
        ["消极", "100.0%"],
        ["－－", "(the"],
        ["中性", "55.0%"],
    ]
    assert seen.err == "4 rows: 积极 25.0%, 中性 25.0%, 消极 25.0%, 1 without an answer (see error)\n"


def test_csv_that_no_spreadsheet_runs(reviews: Path, tmp_path: Path) -> None:
    assert main(["analyze", str(reviews), "-o", str(tmp_path / "out.csv")]) == 0
    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    header, *rows = csv.reader(content.decode("utf-8-sig").splitlines())
    assert header[:5] == ["编号", "评论", "备注", "sentiment", "english_label"]
    assert rows[0][:5] == ["007", "好", "'=1+1", "积极", "Positive"]
    assert rows[2][3:] == ["", "", "", "", "", "the text is blank"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "评论.csv"]


def test_a_workbook(reviews: Path, tmp_path: Path) -> None:
    assert main(["analyze", str(reviews), "-o", str(tmp_path / "out.xlsx")]) == 0
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    header, *rows = book["Results"].iter_rows(values_only=True)
    assert header[:4] == ("编号", "评论", "备注", "sentiment")
    assert rows[0][:4] == ("007", "好", "=1+1", "积极")
    assert {cell.data_type for row in book["Results"].iter_rows() for cell in row} == {"s", "n"}
    assert [row[:2] for row in book["Summary"].iter_rows(values_only=True)][1:] == [
        ("积极", 1),
        ("中性", 1),
        ("消极", 1),
        ("no answer", 1),
    ]


def test_json_lines_keep_what_they_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "好", "n": {"a": [1]}, "analysis": 1}\nbroken\n{"text": "差"}\n')
    assert main(["analyze", str(path), "--format", "jsonl"]) == 0
    seen = capsys.readouterr()
    first, second = map(json.loads, seen.out.splitlines())
    assert first["n"] == {"a": [1]}
    assert (first["analysis"], first["analysis_"]["sentiment"]) == (1, "积极")
    assert second == {"text": "差", "analysis": {**second["analysis"], "sentiment": "消极"}}
    assert "line 2 is no JSON object and was left out" in seen.err


def test_standard_input_and_a_reader_that_has_enough() -> None:
    text = "好\n差\n" * 50_000
    shell = f"{sys.executable} -m sentiment_service analyze - --format jsonl | head -n 2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], input=text, capture_output=True, text=True, check=False
    )
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["好", "差"]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    given, out = tmp_path / "x.txt", tmp_path / "out.jsonl"
    given.write_text("".join(f"{'好差'[number % 2]}{number}\n" for number in range(40_000)))
    journal = tmp_path / "out.jsonl.partial"
    process = subprocess.Popen([*COMMAND, given, "-o", out], stderr=subprocess.DEVNULL)
    wait_for("some answers", lambda: journal.exists() and journal.stat().st_size > 20_000)
    process.kill()
    process.wait()
    assert not out.exists()
    # What was answered is not asked again: a changed answer stays; half a line is.
    kept = journal.read_bytes().replace(b"Positive", b"Marked", 1)
    journal.write_bytes(kept[:-10])
    done = subprocess.run([*COMMAND, given, "-o", out], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("40000 rows: ")
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["text"] for one in found] == given.read_text().splitlines()
    assert [one["analysis"]["sentiment"] for one in found] == ["积极", "消极"] * 20_000
    assert found[0]["analysis"]["english_label"] == "Marked"
    assert found[2]["analysis"]["english_label"] == "Positive"
    assert not journal.exists()


def test_another_input_begins_anew(reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv.partial").write_text('{"input": "another"}\n["积极"]\n')
    assert main(["analyze", str(reviews), "-o", str(tmp_path / "out.csv")]) == 0
    assert "007,好" in (tmp_path / "out.csv").read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.csv"], "missing.csv: No such file"),
        (["{reviews}", "--column", "x"], "there is no column 'x'; there are: 编号, 评论, 备注"),
        (["{reviews}", "--format", "xlsx"], "a workbook needs a file: give -o OUT.xlsx"),
        (["{reviews}", "-o", "/nowhere/out.csv"], "/nowhere/out.csv.partial: No such file"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], says: str, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", *(one.format(reviews=reviews) for one in arguments)]) == 1
    assert says in capsys.readouterr().err


def test_a_model_that_is_not_there(
    reviews: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_DIR", "/nowhere")
    assert main(["analyze", str(reviews)]) == 1
    assert "no model package in /nowhere" in capsys.readouterr().err


def test_a_missing_library_says_how_to_get_it(reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('no', name='rich')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([*COMMAND, reviews], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "sentiment-service: rich is missing: pip install 'sentiment-operator[cli]'\n"


@pytest.mark.parametrize(
    "given",
    ["serve", "analyze x", "doctor", "bench", "install systemd", "install-model --to x"],
)
def test_the_wheel_without_any_extra_says_what_to_install(given: str) -> None:
    bare = [sys.executable, "-S", "-m", "sentiment_service", *given.split()]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    done = subprocess.run(bare, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    [said] = done.stderr.splitlines()
    assert said.endswith(" is missing: pip install 'sentiment-operator[cli]'")
