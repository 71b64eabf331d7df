"""What `status`, `top` and `explain` show. Pure: from objects to something that rich draws."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..api.quantity import amount
from ..reconcile.conditions import container_statuses
from .explain import Trouble, conditions_of, ready, well
from .kube import Target
from .traffic import Traffic

Manifest = dict[str, Any]


def headline(target: Target, obj: Manifest) -> Text:
    """Name and the one thing that matters."""
    state = ("✓ ready", "green") if ready(obj) else ("✗ not as asked for", "red")
    return Text.assemble((f"{target.namespace}/{target.name}  ", "bold"), state)


def facts(obj: Manifest) -> RenderableType:
    """URL, model, replicas: what the status says."""
    status = obj.get("status", {})
    model = status.get("model") or {}
    lines = {
        "url": status.get("url"),
        "model": " ".join(str(model[name]) for name in ("name", "digest") if model.get(name)),
        "pods": f"{status['readyReplicas']} ready of {status.get('replicas', 0)}"
        if "readyReplicas" in status
        else "",
        "models": ", ".join(f"{one['name']} = {one['model']}" for one in status.get("models", ())),
        "package": (status.get("package") or {}).get("path"),
        "phase": status.get("phase"),
    }
    return _grid((name, str(value)) for name, value in lines.items() if value)


def conditions(obj: Manifest, now: datetime) -> RenderableType:
    """All of them, good ones too."""
    table = _table("condition", "", "since", "reason", "message")
    for one in conditions_of(obj):
        good = well(one)
        mark = Text("✓", "green") if good else Text("✗", "red")
        since = age(one["lastTransitionTime"], now)
        table.add_row(one["type"], mark, since, one["reason"], "" if good else one.get("message", ""))
    return table


def pods(found: Sequence[Manifest], now: datetime) -> RenderableType:
    """Ready, restarts, node, age, and what a container waits for."""
    table = _table("pod", "ready", "restarts", "age", "node", "")
    for pod in found:
        statuses = pod.get("status", {}).get("containerStatuses", ())
        states = [one.get("state", {}) for one in container_statuses(pod)]
        waiting = [one["waiting"].get("reason", "") for one in states if "waiting" in one]
        table.add_row(
            pod["metadata"]["name"],
            f"{sum(one['ready'] for one in statuses)}/{len(pod['spec']['containers'])}",
            str(sum(one["restartCount"] for one in statuses)),
            age(pod["metadata"]["creationTimestamp"], now),
            pod["spec"].get("nodeName", "–"),
            next(filter(None, waiting), pod.get("status", {}).get("phase", "")),
        )
    return table if found else Text("no pods", "dim")


def traffic(seen: Traffic | None) -> RenderableType:
    """Since the pods started."""
    if seen is None:
        return Text("no pod tells its metrics", "dim")
    lines = {
        "requests": f"{seen.requests:,.0f} since the pods started, {seen.average_ms:.0f} ms on average",
        "texts": f"{seen.texts:,.0f}",
        "refused": f"{seen.refused:,.0f} with 429, {seen.failed:,.0f} failed with 5xx",
        "now": f"{seen.active:.0f} under way, {seen.queued:.0f} texts waiting",
        "memory": f"{seen.memory / 1e6:,.0f} MB in all pods",
    }
    return _grid(lines.items())


def alerts(lines: Sequence[str] | None) -> RenderableType:
    """None: nobody could be asked."""
    if lines is None:
        return Text("alerts: no Prometheus (prometheus-operated) to ask", "dim")
    return (
        Group(*(Text(f"alert: {line}", "red") for line in lines))
        if lines
        else Text("no alert fires", "green")
    )


def explanation(found: Sequence[Trouble]) -> RenderableType:
    """Each trouble with its words and its remedy."""
    parts: list[RenderableType] = []
    for one in found:
        parts.append(Text.assemble((one.reason, "bold red"), f"  ({one.where})"))
        for name, said in (("says", one.message), ("means", one.meaning), ("remedy", one.remedy)):
            if said:
                parts.append(Text(f"  {name}: {said}"))
    return Group(*parts)


def used(containers: Sequence[Manifest]) -> tuple[str, str]:
    """CPU and memory of a pod, as metrics-server tells them of its containers."""
    if not containers:
        return "–", "–"
    cpu, memory = (sum(amount(one["usage"][what]) for one in containers) for what in ("cpu", "memory"))
    return f"{cpu * 1000:.0f}m", f"{memory / 1_000_000:.0f} MB"


def usage(rows: Iterable[tuple[str, str, str, Traffic | None]], seconds: float) -> RenderableType:
    """Of each pod (name, CPU, memory, traffic of the last `seconds`)."""
    table = _table("pod", "CPU", "memory", "requests/s", "texts/s", "average", "under way", "waiting")
    for name, cpu, memory, seen in rows:
        if seen is None:
            table.add_row(name, cpu, memory, *["–"] * 5)
            continue
        average = f"{seen.average_ms:.0f} ms" if seen.timed else "–"
        rates = f"{seen.requests / seconds:.1f}", f"{seen.texts / seconds:.1f}"
        table.add_row(name, cpu, memory, *rates, average, f"{seen.active:.0f}", f"{seen.queued:.0f}")
    return table


def age(stamp: str, now: datetime) -> str:
    """As kubectl writes it: 5s, 12m, 3h, 9d."""
    seconds = max(0, int((now - datetime.fromisoformat(stamp).astimezone(UTC)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _table(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head in ("", "ready", "since", "age"))
    return table


def _grid(lines: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(name, value)
    return table
