"""From results to the tables and plots of docs/benchmarks.md. Pure but for `write`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measure import Spread, figure, ratios
from bench.plot import Point, Row, bars, scatter

Results = Mapping[str, Any]
# Text, and plots by the names of their files.
Section = Callable[[Results], tuple[str, dict[str, str]]]
ARTICLE = "the article's way"
OURS, OURS_FP32 = "sentiment-service", "sentiment-service, fp32"
# Post-training quantisation: the ranges of the activations are fixed when the model is prepared.
OURS_POST_TRAINING = "sentiment-service, int8 post-training"
RAW, RAW_POST_TRAINING = "raw engine, best order", "raw engine, int8 post-training, best order"
SAME_ENGINE = "LitServe, our OpenVINO int8 model"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def outcome(value: float, bar: float, *, least: bool) -> str:
    """A figure and whether it reaches its bar."""
    return f"{figure(value)}, {verdict(value, bar, least=least)}"


def verdict(value: float, bar: float, *, least: bool) -> str:
    met = value >= bar if least else value <= bar
    return f"{'met' if met else '**not met**'} ({'≥' if least else '≤'} {bar:g})"


def best_peer(speeds: Mapping[str, Sequence[float]]) -> str:
    """The fastest that is neither ours, nor runs our model, nor the article's."""
    not_peers = {OURS, OURS_FP32, OURS_POST_TRAINING, RAW, RAW_POST_TRAINING, ARTICLE, SAME_ENGINE}
    others = [name for name in speeds if name not in not_peers]
    return max(others, key=lambda name: Spread.of(speeds[name]).median)


def throughput(results: Results) -> tuple[str, dict[str, str]]:
    speeds: dict[str, list[float]] = results["texts_per_second"]
    ours = speeds[OURS]
    rows = [
        [name, str(Spread.of(speeds[name])), str(ratios(ours, speeds[name])) if name != OURS else "1"]
        for name in sorted(speeds, key=lambda name: -Spread.of(speeds[name]).median)
    ]
    peer = best_peer(speeds)
    bars_met = []
    for served, alone in ((OURS, RAW), (OURS_POST_TRAINING, RAW_POST_TRAINING)):
        for what, other, bar in (
            ("the raw engine in its best order", alone, 0.9),
            (f"the best peer ({peer})", peer, 2.0),
            ("the article's way", ARTICLE, 20),
        ):
            ratio = ratios(speeds[served], speeds[other])
            bars_met.append([served, f"to {what}", str(ratio), verdict(ratio.median, bar, least=True)])
    plans = "; ".join(f"{name}: `{plan}`" for name, plan in results["plans"].items())
    note = (
        f"{results['rounds']} rounds, {results['connections']} connections; the load generator took at most "
        f"{results['client_cpu_share']:.0%} of one core. {plans[:1].upper()}{plans[1:]}."
    )
    for name, reason in results.get("failed", {}).items():
        note += f"\n\n{name} is missing: {reason}"
    chart = bars(
        "BERT-base, mixed reviews over HTTP, 2 cores",
        [
            Row(name, spread.median, spread.low, spread.high, name in (OURS, OURS_FP32, OURS_POST_TRAINING))
            for name in (row[0] for row in rows)
            for spread in [Spread.of(speeds[name])]
        ],
        "/s",
    )
    text = "\n\n".join(
        [table(["BERT-base", "texts/s", "ours is × faster"], rows),
         table(["", "bar", "ratio of the same round", ""], bars_met), note,
         "![throughput](benchmarks/throughput.svg)"]
    )  # fmt: skip
    return text, {"throughput.svg": chart}


def latency(results: Results) -> tuple[str, dict[str, str]]:
    loads = {"offered": "70 % of what the cores do one by one", "batched": "70 % of what batches reach"}
    rows, plot = [], []
    for name, rounds in results["rounds"].items():
        service, tail = ([one[key] for one in rounds] for key in ("service_ms", "service_p99_ms"))
        for load, said in loads.items():
            p99 = [one[f"{load}_p99_ms"] for one in rounds]
            to_mean, to_tail = ratios(p99, service), ratios(p99, tail)
            # Equal requests have the mean's service time; of mixed ones the slowest have their own.
            counts = to_tail if "mixed" in name else to_mean
            rows.append(
                [
                    name,
                    said,
                    str(Spread.of([one[f"{load}_rate"] for one in rounds])),
                    str(Spread.of(service)),
                    str(Spread.of(tail)),
                    str(Spread.of([one[f"{load}_p50_ms"] for one in rounds])),
                    str(Spread.of(p99)),
                    str(to_mean),
                    str(to_tail),
                    verdict(counts.median, 4, least=False),
                ]
            )
            if load == "offered":
                plot.append(Row(name, counts.median, counts.low, counts.high, True))
    head = ["", "load", "requests/s", "alone, mean ms", "alone, p99 ms", "p50 ms", "p99 ms",
            "p99 ÷ alone, mean", "p99 ÷ alone, p99", "≤ 4"]  # fmt: skip
    chart = bars("p99 at 70 % load ÷ one request alone", plot, "×", (4, "bar: 4"))
    return (
        f"{table(head, rows)}\n\n![latency](benchmarks/latency.svg)",
        {"latency.svg": chart},
    )


def gains(results: Results) -> tuple[str, dict[str, str]]:
    rows = []
    for name, plans in results["texts_per_second"].items():
        padded, single, arrival = (plans[plan] for plan in ("padded-512", "single", "arrival-32"))
        best = max(
            (plan for plan in plans if plan.startswith("sorted-")),
            key=lambda plan: Spread.of(plans[plan]).median,
        )
        rows.append(
            [
                name,
                str(Spread.of(padded)),
                f"{Spread.of(single)} (×{figure(ratios(single, padded).median)})",
                f"{Spread.of(arrival)} (×{figure(ratios(arrival, single).median)})",
                f"{Spread.of(plans[best])} (×{figure(ratios(plans[best], single).median)}), `{best}`",
            ]
        )
    head = ["texts/s of the engine alone", "one at a time, padded to 512", "one at a time, not padded",
            "32 as they come, padded to the longest", "batched by length"]  # fmt: skip
    note = "In brackets: not padding against padding; each way of batching against one at a time, not padded."
    return f"{table(head, rows)}\n\n{note}", {}


def bundled(results: Results) -> tuple[str, dict[str, str]]:
    raw, single, batch = results["raw"], results["single"], results["batch"]
    rows = [
        ["one text a request, 128 connections", str(Spread.of(single)), str(ratios(single, raw))],
        ["50 texts a request, 4 connections", str(Spread.of(batch)), str(ratios(batch, raw))],
        ["raw engine, best order", str(Spread.of(raw)), "1"],
    ]
    note = (
        f"The load generator took up to {results['client_cpu_share']:.0%} of one of the same two cores "
        "in the first row."
    )
    return f"{table(['bundled model', 'texts/s', 'of the raw engine'], rows)}\n\n{note}", {}


def figures(results: Results) -> tuple[str, dict[str, str]]:
    """Name → figure, as bench/memory.py and bench/start.py measure them."""
    rows = [[name, value] for name, value in results["figures"].items()]
    return table(["", "figure"], rows), {}


def preparation(results: Results) -> tuple[str, dict[str, str]]:
    """The whole pipeline on BERT-base: what it takes, and what comes out."""
    fp32, peak, own = results["fp32_bytes"], results["peak_bytes"], results["peak_own_bytes"]
    summary = table(
        ["", "figure"],
        [
            ["fetch to package, all precisions tried", f"{results['seconds_prepare']:.0f} s"],
            ["fp32 file", f"{fp32 / 1e6:.0f} MB"],
            [f"in a container of {results['limit']} times the fp32 file",
             f"{seconds:.0f} s, met" if (seconds := results["seconds_held"]) else "**killed for memory**"],
            ["without a limit, greatest memory of all processes (Pss), of the fp32 file",
             f"{peak / 1e6:.0f} MB, × {figure(peak / fp32)}"],
            ["the same without what is mapped from files, which the kernel takes back when it must",
             f"{own / 1e6:.0f} MB, × {figure(own / fp32)}"],
        ],
    )  # fmt: skip
    return f"{summary}\n\n{_attempts(results['attempts'], fp32)}", {}


def pruning(results: Results) -> tuple[str, dict[str, str]]:
    """A trained checkpoint at each precision and pruning level."""
    parts, points = [], []
    for name, attempts in results["attempts"].items():
        parts.append(f"**{name}**\n\n{_attempts(attempts, results['fp32_bytes'])}")
        points += [Point(name, one["speedup"], 100 * one["accuracy"], _shown(one)) for one in attempts]
    low, high = (100 * side for side in results["fp32_interval"])
    note = (
        f"{results['texts']} held-out reviews; the whole model in fp32 is right in "
        f"{100 * results['fp32_accuracy']:.2f} % (95 %: {low:.1f} to {high:.1f} %). Distilled on the "
        "reviews of the training part, without their labels."
    )
    chart = scatter("A trained checkpoint: speed and accuracy", points, "times fp32's speed", "accuracy, %")
    return "\n\n".join([note, *parts, "![pruning](benchmarks/pruning.svg)"]), {"pruning.svg": chart}


def _shown(one: Mapping[str, Any]) -> str:
    how = "" if one["quantisation"] == "none" else f" {one['quantisation']}"
    return f"{one['precision']}{how}" + (f", pruned {one['pruned']} %" if one["pruned"] else "")


def _attempts(attempts: Sequence[Mapping[str, Any]], fp32_bytes: int) -> str:
    rows = []
    for one in attempts:
        per_point = one["speedup_per_point"]
        rows.append(
            [
                _shown(one),
                f"{one['bytes'] / 1e6:.0f}",
                f"{1 - one['bytes'] / fp32_bytes:.0%}",
                figure(one["milliseconds"]),
                f"{one['speedup']:.2f}",
                f"{100 * one['accuracy']:.2f}",
                f"{-100 * one['drop']:+.2f}",
                "" if per_point is None else f"{per_point:.2f}",
                f"{100 * one['ece']:.2f}",
                "passes" if one["passed"] else "refused",
            ]
        )
    head = ["", "MB", "smaller", "ms, 32 tokens", "× fp32", "accuracy %", "points", "speed per point",
            "calibration error %", "gate"]  # fmt: skip
    return table(head, rows)


def gpu(results: Results) -> tuple[str, dict[str, str]]:
    """The service on a GPU and beside it, and how much of the time its engine worked."""
    loop: dict[str, float] = results["raw"]
    best = max(loop, key=lambda plan: loop[plan])
    rows = []
    for name, measured in results["rows"].items():
        told = results["shares"][name]
        batch = measured.get("batch", [])
        busy = [[one[key] for one in told if key in one] for key in ("engine_busy", "batch_engine_busy")]
        texts = [[one[key] for one in told if key in one] for key in ("texts_a_run", "batch_texts_a_run")]
        rows.append(
            [
                name,
                str(Spread.of(measured["single"])),
                str(Spread.of(batch)) if batch else "",
                figure(Spread.of(batch).median / loop[best]) if batch else "",
                f"{Spread.of(measured['alone_ms'])}; {Spread.of(measured['alone_p99_ms'])}",
                "; ".join(f"{Spread.of(one).median:.0%}" for one in busy if one),
                "; ".join(f"{Spread.of(one).median:.0f}" for one in texts if one),
            ]
        )
    head = [
        f"BERT-base, {results['device']}", f"texts/s, {results['connections']} callers of one text",
        f"texts/s, {results['batches']} callers of {results['batch_texts']}", "of the raw loop",
        "one caller, p50; p99 ms", "engine at work, single; batches", "texts a run",
    ]  # fmt: skip
    raw = table(["the raw loop", "texts/s"], [[f"`{plan}`", figure(value)] for plan, value in loop.items()])
    note = (
        f"Driver {results['driver']}. One engine has {results['memory_mb']} MB of the GPU. "
        f"After a kill of the engine the next answer came {results['restart_seconds']:.1f} s later."
    )
    return f"{table(head, rows)}\n\n{raw}\n\n{note}", {}


SECTIONS: dict[str, Section] = {
    "throughput": throughput,
    "latency": latency,
    "gains": gains,
    "bundled": bundled,
    "memory": figures,
    "start": figures,
    "edge": figures,
    "web": figures,
    "operator": figures,
    "burst": figures,
    "rest": figures,
    "flood": figures,
    "soak": figures,
    "preparation": preparation,
    "pruning": pruning,
    "gpu": gpu,
}


def replace(document: str, name: str, text: str) -> str:
    """The document with what stands between the part's markers replaced."""
    begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(document):
        raise ValueError(f"the document has no place for {name}: {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n{text}\n{end}", document)


def heading(result: Results, command: str = "make bench") -> str:
    """When, where and under which load a part was measured."""
    where = result["machine"]
    return (
        f"`{command} ONLY={result['part']}`, {result['date']}, commit `{result['commit']}`, "
        f"{where['cores']} cores of {where['cpu']}, {where['memory_gb']} GB, Python {where['python']}; "
        f"load average {result['load_before']} before, {result['load_after']} after; "
        f"{result['seconds']:.0f} s."
    )


def write(
    document: Path,
    results: Mapping[str, Results],
    sections: Mapping[str, Section] = SECTIONS,
    command: str = "make bench",
) -> None:
    """Every part that was ever measured, into the document and the plots beside it."""
    text = document.read_text("utf-8")
    folder = document.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, render in sections.items():
        if name in results:
            body, plots = render(results[name])
            text = replace(text, name, f"{heading(results[name], command)}\n\n{body}")
            for file, svg in plots.items():
                (folder / file).write_text(svg, "utf-8")
    document.write_text(text, "utf-8")
