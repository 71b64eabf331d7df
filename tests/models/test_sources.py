"""SOURCE, the evaluation set, the checkpoint's own words: read without a network and without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import command, corpus, evaluation, faults
from sentiment_models.checkpoint import layout
from sentiment_models.sources import fetch, hubs, spec
from sentiment_models.sources.credentials import Credentials


@pytest.mark.parametrize(
    ("text", "kind", "location", "revision"),
    [
        ("bundled", "bundled", "bundled", None),
        ("/models/x", "directory", "/models/x", None),
        ("file:///models/x", "directory", "/models/x", None),
        ("https://h/x.tar.gz", "http", "https://h/x.tar.gz", None),
        ("s3://bucket/x", "bucket", "s3://bucket/x", None),
        ("hf://owner/name@v1", "huggingFace", "owner/name", "v1"),
        ("modelscope://damo/nlp_x", "modelScope", "damo/nlp_x", None),
    ],
)
def test_sources(text: str, kind: str, location: str, revision: str | None) -> None:
    found = spec.parse(text)
    assert (found.kind, found.location, found.revision) == (kind, location, revision)


def test_the_articles_name_is_an_alias() -> None:
    found = spec.parse("modelscope://damo/structbert-base-chinese-sentiment-classification", "v1.0.1")
    assert found.location == "damo/nlp_structbert_sentiment-classification_chinese-base"


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("ftp://h/x", {}, "ftp://"),
        ("hf://name", {}, "OWNER/NAME"),
        ("hf://../../etc", {}, "OWNER/NAME"),
        ("https:///x", {}, "server"),
        ("/models/x", {"revision": "v1"}, "revision"),
        ("hf://a/b@v1", {"revision": "v2"}, "another revision"),
        ("https://h/x", {"sha256": "12"}, "64"),
        ("hf://a/b", {"sha256": "0" * 64}, "archive"),
    ],
)
def test_wrong_sources_are_refused(text: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(faults.SourceInvalid, match=says):
        spec.parse(text, **options)


def test_only_what_is_needed_is_fetched() -> None:
    names = ["config.json", "modeling_evil.py", "pytorch_model.bin", "model.safetensors", "tf_model.h5",
             "vocab.txt", "onnx/model.onnx", "README.md"]  # fmt: skip
    entries = [hubs.Entry(name, 1, None) for name in names]
    assert [one.path for one in hubs.wanted(entries)] == ["config.json", "model.safetensors", "vocab.txt"]
    without = [one for one in entries if one.path != "model.safetensors"]
    assert "pytorch_model.bin" in [one.path for one in hubs.wanted(without)]


def test_credentials_come_from_files_first(tmp_path: Path) -> None:
    (tmp_path / "HF_TOKEN").write_text('hf_fi"le\n')
    who = Credentials.read(tmp_path, {"HF_TOKEN": "hf_variable", "AWS_ACCESS_KEY_ID": "AKIA", "OTHER": "x"})
    assert who.get("HF_TOKEN") == 'hf_fi"le'
    assert who.get("AWS_ACCESS_KEY_ID") == "AKIA"
    assert who.get("OTHER") is None
    assert who.redact(json.dumps({"m": 'bad hf_fi"le'})) == '{"m": "bad ***"}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("404 for url: https://h/x?X-Amz-Signature=abc&y=1", "404 for url: https://h/x?***"),
        ('"https://me:pass@h/x" and s3://k:v@b/y.', '"https://***@h/x" and s3://***@b/y.'),
        (json.dumps({"m": 'at "https://h/x?s=1"'}), json.dumps({"m": 'at "https://h/x?***"'})),
        ("https://h/x: what? a@b", "https://h/x: what? a@b"),
    ],
)
def test_no_url_shows_who_may_read_it(text: str, shown: str) -> None:
    assert Credentials({}).redact(text) == shown


def test_what_nobody_expected_is_told_without_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sentiment_models.__main__ import main

    def fetch_(*_: object) -> None:
        raise RuntimeError("Bearer s3cr3t-t0ken at https://h/x?sig=S1GN3D")

    monkeypatch.setattr(fetch, "fetch", fetch_)
    monkeypatch.setenv("HTTP_TOKEN", "s3cr3t-t0ken")
    report = tmp_path / "report.json"
    assert main(["prepare", "https://h/x", str(tmp_path / "out"), "--report", str(report)]) == 1
    said = capsys.readouterr().err + report.read_text()
    assert "Traceback" in said
    assert "PreparationFailed: RuntimeError: Bearer *** at https://h/x?***" in said
    assert "s3cr3t" not in said
    assert "S1GN3D" not in said


def write(folder: Path, **files: object) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_modelscopes_layout(tmp_path: Path) -> None:
    found = layout.read(write(
        tmp_path / "m",
        configuration={"task": "text-classification", "model": {
            "type": "text-classification", "backbone": {"type": "structbert", "hidden_size": 8}}},
        label_mapping={"负面": 0, "正面": 1},
    ))  # fmt: skip
    assert (found.layout, found.family, found.labels) == ("modelscope", "bert", ("负面", "正面"))
    assert found.config["hidden_size"] == 8


def test_labels_in_any_order_and_by_name(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m", config={"model_type": "bert", "id2label": {"0": "POSITIVE", "1": "NEGATIVE"}}
    )
    found = layout.read(folder)
    assert (found.negative, found.positive) == (1, 0)
    folder = write(tmp_path / "m", config={"model_type": "bert", "id2label": {"0": "sad", "1": "glad"}})
    with pytest.raises(faults.LabelsUnknown, match="sad, glad"):
        layout.read(folder)
    assert layout.read(folder, ("sad", "glad")).positive == 1
    with pytest.raises(faults.LabelsUnknown, match="--labels"):
        layout.read(folder, ("sad", "happy"))


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"model_type": "gpt2"}, faults.CheckpointUnsupported),
        ({"model_type": "bert", "id2label": {"0": "a", "1": "b", "2": "c"}}, faults.LabelCountWrong),
        ({"model_type": "bert", "id2label": {"0": "负面", "2": "正面"}}, faults.LabelCountWrong),
        ([], faults.CheckpointUnreadable),
    ],
)
def test_wrong_configurations(tmp_path: Path, config: object, fault: type[faults.Fault]) -> None:
    with pytest.raises(fault):
        layout.read(write(tmp_path / "m", config=config))


def test_missing_and_unsafe_weights(tmp_path: Path) -> None:
    with pytest.raises(faults.CheckpointIncomplete, match="configuration"):
        layout.read(tmp_path)
    folder = write(tmp_path / "m", config={"model_type": "bert"})
    (folder / "model.safetensors").unlink()
    with pytest.raises(faults.CheckpointIncomplete, match="safetensors"):
        layout.read(folder)
    (folder / "weights.pkl").write_bytes(b"")
    with pytest.raises(faults.CheckpointUnsafe, match=r"weights\.pkl"):
        layout.read(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../x.safetensors"}}')
    with pytest.raises(faults.CheckpointUnsafe, match="outside"):
        layout.read(folder)


def csv(path: Path, rows: str) -> evaluation.Evaluation:
    path.write_text(rows, "utf-8")
    return evaluation.read(path, path.name, 1000)


def test_the_users_texts_are_cut_in_two(tmp_path: Path) -> None:
    rows = "".join(f"第{n}间房很好,1\n第{n}间房很差,负面\n" for n in range(200))
    found = csv(tmp_path / "e.csv", "text,label\n" + rows + "第1间房很好！,0\n")
    keys = [{corpus.key(one.text) for one in part} for part in (found.calibration, found.judged)]
    assert not keys[0] & keys[1]
    assert len(keys[0] | keys[1]) == 399
    assert found == csv(tmp_path / "e.csv", "text,label\n" + rows + "第1间房很好！,0\n")
    assert len(evaluation.read(tmp_path / "e.csv", "e.csv", 90).judged) == 90


def test_texts_without_labels_are_taken_once(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("id,Text\n1,好\n2,差\n3,好\n4,\n", "utf-8")
    assert evaluation.unlabelled(tmp_path / "u.csv", "u.csv") == ("好", "差")
    for rows, says in (("a,b\n1,2\n", "columns a, b, not text"), ("text\n", "no texts"), ("", "none")):
        (tmp_path / "u.csv").write_text(rows)
        with pytest.raises(faults.EvaluationInvalid, match=says):
            evaluation.unlabelled(tmp_path / "u.csv", "u.csv")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,b\n1,2\n", "columns a, b"),
        ("text,label\n好,1\n差,maybe\n", "line 3.*maybe"),
        ("text,label\n好,1\n差,0\n", "20 are needed"),
        ("", "none"),
    ],
)
def test_wrong_evaluation_sets(tmp_path: Path, rows: str, says: str) -> None:
    with pytest.raises(faults.EvaluationInvalid, match=says):
        csv(tmp_path / "e.csv", rows)


def test_every_fault_has_its_own_reason_and_a_remedy() -> None:
    kinds = faults.Fault.__subclasses__()
    assert all(one.reason == one.__name__ and one.remedy.endswith(".") for one in kinds)
    assert "SourceTruncated" in {one.reason for one in kinds}


def test_the_command_says_reason_cause_and_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sentiment_models.__main__ import main

    report = tmp_path / "report.json"
    assert main(["prepare", str(tmp_path / "none"), str(tmp_path / "out"), "--report", str(report)]) == 1
    assert "sentiment-models: SourceNotFound: " in capsys.readouterr().err
    state = json.loads(report.read_text())
    assert (state["phase"], state["reason"]) == ("Failed", "SourceNotFound")
    assert state["remedy"]
    assert "prepare" in command.NAMED


def test_a_dry_run_of_the_bundled_model_fetches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sentiment_models.__main__ import main

    assert main(["prepare", "bundled", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "model.json" in json.loads(capsys.readouterr().out)["files"]
    assert list(tmp_path.iterdir()) == []
    assert fetch.look(spec.parse("bundled"), Credentials({})).bytes == 0
