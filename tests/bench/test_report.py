"""From figures to tables, plots and verdicts."""

import json
import socket
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from sentiment_service.cli import load

from bench import __main__ as bench_main
from bench import gpu, measure, plot, report, targets, texts
from bench.measure import Spread


def test_percentile_is_the_smallest_value_that_enough_do_not_exceed() -> None:
    values = [float(n) for n in range(1, 201)]
    assert measure.percentile(values, 0.99) == 198
    assert measure.percentile(values, 0.5) == 100
    assert measure.percentile([7.0], 0.99) == 7


def test_ratios_are_of_the_same_round() -> None:
    assert measure.ratios([10, 40, 90], [10, 20, 30]) == Spread(2, 1, 3)


def test_every_hundred_texts_in_a_row_are_the_same_work() -> None:
    ordered = measure.mixed(400)
    assert sorted(ordered) == sorted(texts.reviews(400))
    sums = [sum(map(len, ordered[at : at + 100])) for at in range(0, 400, 100)]
    assert max(sums) / min(sums) < 1.05


@pytest.mark.parametrize(
    ("value", "least", "expected"),
    [
        (0.9, True, "met (≥ 0.9)"),
        (0.89, True, "**not met** (≥ 0.9)"),
        (0.9, False, "met (≤ 0.9)"),
        (0.91, False, "**not met** (≤ 0.9)"),
    ],
)
def test_verdicts(value: float, least: bool, expected: str) -> None:
    assert report.verdict(value, 0.9, least=least) == expected


def test_the_best_peer_is_never_one_of_our_own() -> None:
    speeds = {report.OURS: [90.0], report.RAW: [100.0], report.SAME_ENGINE: [80.0], report.ARTICLE: [70.0],
              "LitServe, torch": [10.0], "BentoML, torch": [12.0]}  # fmt: skip
    assert report.best_peer(speeds) == "BentoML, torch"


def test_the_gpus_figures_name_the_device_and_what_was_not_measured_is_empty() -> None:
    alone = {"alone_ms": [21.2], "alone_p99_ms": [127.0]}
    share = {"engine_busy": 0.59, "batch_engine_busy": 0.82, "texts_a_run": 63.0, "batch_texts_a_run": 112.5}
    results = {
        "device": "NVIDIA H100", "driver": "580", "connections": 256, "batches": 8, "batch_texts": 100,
        "raw": {"single": 13.0, "sorted-65536": 24461.0}, "memory_mb": 943, "restart_seconds": 15.04,
        "rows": {"GPU": {"single": [784.0], "batch": [3400.0], **alone},
                 "article": {"single": [25.0], **alone}},
        "shares": {"GPU": [share], "article": [{}]},
    }  # fmt: skip
    text, _ = report.gpu(results)
    assert "| BERT-base, NVIDIA H100 |" in text
    assert "| GPU | 784 | 3400 | 0.14 | 21.2; 127 | 59%; 82% | 63; 112 |" in text
    assert "| article | 25.0 |  |  | 21.2; 127 |  |  |" in text
    assert "15.0 s later" in text


def test_without_a_gpu_the_bench_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="no CUDA device"):
        gpu.query("name")


def test_a_peer_that_failed_is_named_and_the_rest_told() -> None:
    speeds = {report.OURS: [90.0], report.RAW: [100.0], report.OURS_POST_TRAINING: [108.0],
              report.RAW_POST_TRAINING: [120.0], report.ARTICLE: [4.0], "BentoML, torch": [54.0]}  # fmt: skip
    results = {
        "texts_per_second": speeds, "rounds": 1, "connections": 128, "client_cpu_share": 0.01,
        "plans": {report.RAW: "sorted-256"}, "failed": {"LitServe, torch": "it does not answer"},
    }  # fmt: skip
    text, _ = report.throughput(results)
    assert "LitServe, torch is missing: it does not answer" in text
    bar = "to the best peer (BentoML, torch)"
    assert f"| sentiment-service | {bar} | 1.67 | **not met** (≥ 2) |" in text
    assert f"| sentiment-service, int8 post-training | {bar} | 2.00 | met (≥ 2) |" in text


def test_one_part_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(_: object) -> dict[str, Any]:
        raise RuntimeError("no port")

    done = []
    monkeypatch.setattr(bench_main, "PARTS", {"memory": broken, "start": lambda _: {"figures": {"a": "1"}}})
    monkeypatch.setattr(bench_main, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(bench_main, "write", lambda _, results: done.append(list(results)))
    monkeypatch.setattr(sys, "argv", ["bench", "memory", "start"])
    assert bench_main.main() == 1
    assert done == [["start"]]


def test_a_section_is_replaced_and_the_rest_kept() -> None:
    document = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n"
    assert report.replace(document, "x", r"new \1") == (
        "a\n<!-- bench:x -->\nnew \\1\n<!-- /bench:x -->\nb\n"
    )
    with pytest.raises(ValueError, match="no place for y"):
        report.replace(document, "y", "")


def test_plots_are_well_formed_and_escape_labels() -> None:
    svg = plot.bars("a < b", [plot.Row("x & y", 2, 1, 3, True)], "/s", (4, "bar"))
    root = ElementTree.fromstring(svg)  # noqa: S314 our own
    words = [element.text for element in root.iter() if element.text]
    assert {"a < b", "x & y", "2 /s", "bar"} <= set(words)


def test_the_document_shows_the_recorded_results(tmp_path: Path) -> None:
    """docs/benchmarks.md and its plots are what results.json gives: nobody edits a figure by hand."""
    docs = Path(report.__file__).parent.parent / "docs"
    results = json.loads((docs / "benchmarks/results.json").read_text("utf-8"))
    copy = tmp_path / "benchmarks.md"
    copy.write_text((docs / "benchmarks.md").read_text("utf-8"), "utf-8")
    report.write(copy, results)
    assert copy.read_text("utf-8") == (docs / "benchmarks.md").read_text("utf-8")
    for drawn in copy.with_suffix("").glob("*.svg"):
        assert drawn.read_text("utf-8") == (docs / "benchmarks" / drawn.name).read_text("utf-8")


class TestClient:
    """Against the smallest possible server: what is counted, and what is not."""

    under_way = 0

    @pytest.fixture
    def port(self) -> Any:
        import asyncio
        import threading

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.under_way += 1
                await asyncio.sleep(0.02)
                self.under_way -= 1
                status = b"500 Oops" if body == b"bad" else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")

        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        yield server.sockets[0].getsockname()[1]
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def test_closed_loop(self, port: int) -> None:
        seen = load.send(load.Job(port, "/", ["a", "b"], connections=4, seconds=0.5))
        assert (seen.failed, seen.first_failure) == (0, "")
        assert len(seen.answers) > 8
        assert {index for index, _ in seen.answers} == {0, 1}
        assert min(seen.latencies) >= 19
        assert self.under_way == 0, "nothing is left behind that would be in the way of the next measurement"

    def test_open_loop_counts_from_when_a_request_was_due(self, port: int) -> None:
        # One connection answers 50 a second; 100 a second are due, so the wait grows and is counted.
        seen = load.send(load.Job(port, "/", ["a"], connections=1, seconds=0.5, rate=100))
        assert seen.failed == 0
        assert max(seen.latencies) > 150

    def test_a_server_that_is_gone_is_a_failure(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        seen = load.send(load.Job(port, "/", ["a"], connections=2, seconds=0.3))
        assert seen.failed > 0
        assert seen.answers == []
        assert "no connection" in seen.first_failure

    def test_failures_are_told(self, port: int) -> None:
        seen = load.send(load.Job(port, "/", ["bad"], connections=1, seconds=0.2))
        assert seen.failed > 0
        assert seen.answers == []
        assert seen.first_failure.startswith("500")


def test_every_target_renders_the_text_it_is_given() -> None:
    target = targets.ours(Path("/models"))
    assert json.loads(target.render(["很好"])[0]) == {"text": "很好"}
    assert target.positive({"data": {"sentiment": "消极", "confidence": 0.9}}) == pytest.approx(0.1)


def test_the_preparations_memory_is_told_with_and_without_files() -> None:
    tried = {
        "precision": "fp32", "quantisation": "none", "pruned": 0, "bytes": 400_000_000, "milliseconds": 40.0,
        "speedup": 1.0, "accuracy": 0.5, "drop": 0.0, "speedup_per_point": None, "ece": 0.1, "passed": True,
    }  # fmt: skip
    found: dict[str, Any] = {
        "seconds_prepare": 300.0, "seconds_held": 320.0, "limit": 2.5, "fp32_bytes": 400_000_000,
        "peak_bytes": 1_200_000_000, "peak_own_bytes": 600_000_000, "attempts": [tried],
    }  # fmt: skip
    text, _ = report.preparation(found)
    assert "| in a container of 2.5 times the fp32 file | 320 s, met |" in text
    assert "1200 MB, × 3.00" in text
    assert "600 MB, × 1.50" in text
    text, _ = report.preparation({**found, "seconds_held": None})
    assert "| in a container of 2.5 times the fp32 file | **killed for memory** |" in text
