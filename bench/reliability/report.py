"""From results to the tables and plots of docs/reliability.md. Pure."""

from itertools import groupby

from bench.measure import figure
from bench.plot import BAR, OTHER, OURS, Line, lines
from bench.reliability.alerts import CAUSES
from bench.reliability.faults import FAULTS, Fault
from bench.reliability.world import ONE
from bench.report import Results, Section, table, verdict


def alerts(results: Results) -> tuple[str, dict[str, str]]:
    """When each alert fired and cleared."""
    rows = [
        [
            f"SentimentService{name}",
            begin,
            f"{seen['firing']:.0f}",
            end,
            f"{seen['resolved']:.0f}",
            f"{seen['steps'] - len(seen['in_vain'])} of {seen['steps']}",
        ]
        for name, (_, begin, end) in CAUSES.items()
        for seen in [results["alerts"][name]]
    ]
    head = ["alert", "cause", "at the receiver after, s", "its end", "that at the receiver after, s",
            "steps of the runbook that said something"]  # fmt: skip
    return table(head, rows), {}


def healing(results: Results) -> tuple[str, dict[str, str]]:
    """What each fault cost."""
    rows = [
        [
            fault.what,
            fault.how,
            "1" if row["service"] == ONE else "2",
            *_costs(fault, row),
            f"{one['date'][:10]}, {one['load_before']}",
            f"`make reliability ONLY={fault.name}`",
        ]
        for fault in FAULTS
        if (one := results["faults"].get(fault.name))
        for row in one["rows"]
    ]
    head = ["fault", "put in by", "pods", "first right answer after, s", "longest without one, s",
            "lost, of requests", "callers got", "whole again after, s", "measured on, at a load of",
            "command"]  # fmt: skip
    return table(head, rows), {}


def _costs(fault: Fault, row: Results) -> list[str]:
    if "failed" in row:
        return ["", "", "", f"**not measured**: {_line(row['failed'])}", ""]
    said = ", ".join(f"{what} ({count})" for what, count in row["said"].items())
    return [
        figure(row["first_right"]),
        figure(row["silence"]),
        f"{row['lost']} of {row['sent']}",
        said or "right answers only",
        figure(row["whole"])
        + (f", by {fault.mending}" if fault.mending else ", with one pod" if fault.for_good else ""),
    ]


def scaling(results: Results) -> tuple[str, dict[str, str]]:
    """The timeline, and what became of the pods without metrics."""
    samples, silent = results["samples"], results["silent"]

    def line(label: str, key: str, colour: str, *, stairs: bool) -> Line:
        return Line(label, [(one["at"], one[key]) for one in samples], colour, stairs)

    plot = lines(
        "Pods follow the requests in progress",
        [
            [line("requests in progress", "active", OTHER, stairs=False)],
            [
                line("pods wanted", "wanted", BAR, stairs=True),
                line("pods ready", "ready", OURS, stairs=True),
            ],
        ],
        "s",
    )
    wanted = [one["wanted"] for one in samples]
    changes = "→".join(f"{number:.0f}" for number, _ in groupby(wanted))
    rows = [
        ["pods, in their order", changes],
        ["requests failed, of all", f"{len(results['failed'])} of {results['sent']}"],
        [
            f"without Prometheus and its adapter and without load, for {silent['seconds']} s",
            f"{silent['before']} pods before, never fewer than {silent['least']}; "
            f"{len(silent['failed'])} requests failed",
        ],
        ["one pod, after both are back", f"{silent['one_again']} s"],
    ]
    return f"![pods over time](reliability/scaling.svg)\n\n{table(['', 'seen'], rows)}", {"scaling.svg": plot}


def _line(text: str) -> str:
    """Its beginning, as a cell of a table."""
    return " ".join(text.replace("|", "/").split())[:160]


def chaos(results: Results) -> tuple[str, dict[str, str]]:
    """How many requests were right, how long they took, and to which fault each lost one belongs."""
    sent, lost, times = results["sent"], results["lost"], results["milliseconds"]
    right = 100 * (1 - lost / sent)
    summary = [
        ["length, and seed of the order", f"{results['minutes']:g} min, {results['seed']}"],
        [
            "right answers, of requests",
            f"{sent - lost} of {sent}: {right:.2f} %, {verdict(right, 99.9, least=True)}",
        ],
        [
            "from request to right answer, P50 / P95 / P99 / longest, ms",
            " / ".join(figure(times[share]) for share in ("0.5", "0.95", "0.99", "1")),
        ],
        ["lost requests that belong to no fault", ", ".join(results["unexplained"]) or "none"],
    ]
    names = {fault.name: fault for fault in FAULTS}
    rows = [
        [
            names[one["fault"]].what,
            f"{one['at']}",
            f"{sum(one['said'].values())}",
            ", ".join(f"{what} ({count})" for what, count in one["said"].items()) or "right answers only",
            f"**not seen**: {_line(one['failed'])}" if one["failed"] else figure(one["seconds"]),
        ]
        for one in results["episodes"]
    ]
    head = ["fault", "at, s", "lost", "callers got", "whole again after, s"]
    return f"{table(['', 'seen'], summary)}\n\n{table(head, rows)}", {}


SECTIONS: dict[str, Section] = {"alerts": alerts, "healing": healing, "scaling": scaling, "chaos": chaos}


def by_section(results: Results) -> dict[str, Results]:
    """The results as the sections of the document take them: all faults in one."""
    faults = {fault.name: results[fault.name] for fault in FAULTS if fault.name in results}
    sections = {name: results[name] for name in SECTIONS if name in results}
    if faults:
        latest = max(faults.values(), key=lambda result: str(result["date"]))
        whole = {"part": "healing", "seconds": sum(one["seconds"] for one in faults.values())}
        sections["healing"] = {**latest, **whole, "faults": faults}
    return sections
