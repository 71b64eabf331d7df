"""`make scaling`: simulates the autoscaler, then rewrites the tables of docs/how-to/autoscaling.md."""

import sys

from sentiment_operator.api.v1alpha1.scaling import Autoscaling, ScaleDown

from bench.paths import ROOT
from bench.report import replace, table
from bench.scaling import traces
from bench.scaling.hpa import DOWN, UP, Autoscaler, Policy, Rules
from bench.scaling.simulate import Result, simulate

DOCUMENT = ROOT / "docs/how-to/autoscaling.md"
TRACES = {
    "steps": traces.steps,
    "a day": traces.day,
    "noisy": traces.noisy,
    "bursts": traces.bursts,
}
_DEFAULT = ScaleDown.model_validate({})


def down(below: int, window: int, pace: int) -> Rules:
    """As the operator renders `spec.autoscaling.scaleDown`."""
    return Rules((Policy(pace, 60),), window, 1 - below / 100)


def rules() -> dict[str, Rules]:
    """What is compared: the defaults, one change of each, and Kubernetes' own."""
    below, window, pace = (
        _DEFAULT.below_percent_of_target,
        _DEFAULT.stabilization_window_seconds,
        _DEFAULT.pods_per_minute,
    )
    return {
        f"the defaults: below {below} %, {window} s, {pace} a minute": down(below, window, pace),
        "`belowPercentOfTarget: 20`": down(20, window, pace),
        "`belowPercentOfTarget: 70`": down(70, window, pace),
        "`belowPercentOfTarget: 90`": down(90, window, pace),
        "`stabilizationWindowSeconds: 0`": down(below, 0, pace),
        "`stabilizationWindowSeconds: 60`": down(below, 60, pace),
        "`stabilizationWindowSeconds: 900`": down(below, 900, pace),
        "`podsPerMinute: 4`": down(below, window, 4),
        "Kubernetes' own: 10 % tolerance, 300 s, all at once": DOWN,
        "Kubernetes' own without a window": Rules(DOWN.policies, 0),
    }


def measured(rule: Rules) -> dict[str, Result]:
    """The rule on every load."""
    limits = Autoscaling.model_validate({})
    return {
        name: simulate(make(), Autoscaler(limits.min_replicas, limits.max_replicas, UP, rule))
        for name, make in TRACES.items()
    }


def report() -> str:
    """A table of all rules on all loads."""
    rows = [
        [name, *(cell for result in measured(rule).values() for cell in _cells(result))]
        for name, rule in rules().items()
    ]
    head = ["scale-down", *(f"{name}: {what}" for name in TRACES for what in ("over", "pod-min", "flaps"))]
    return table(head, rows)


def _cells(result: Result) -> list[str]:
    return [f"{result.over_target:.1%}", f"{result.pod_minutes:.0f}", str(result.flaps)]


def main() -> int:
    DOCUMENT.write_text(replace(DOCUMENT.read_text("utf-8"), "scaling", report()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
