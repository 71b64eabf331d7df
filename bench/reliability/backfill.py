"""Samples of the past as text that promtool reads. Pure."""

from collections.abc import Mapping


def openmetrics(counter: str, labels: Mapping[str, str], begin: int, end: int, step: int) -> str:
    """A counter that grows by one at each step between two times, in OpenMetrics."""
    named = ",".join(f'{name}="{value}"' for name, value in labels.items())
    samples = (
        f"{counter}_total{{{named}}} {count} {at}"
        for count, at in enumerate(range(begin, end, step), start=1)
    )
    return "\n".join([f"# TYPE {counter} counter", *samples, "# EOF", ""])
