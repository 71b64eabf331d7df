"""`python -m bench.scaling.recorded`: asks Kubernetes' own code what it decides, for tests/bench/test_hpa.py.

Its files are laid into the module that the embedded node is built of, with a test of ours beside them.
"""

import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from bench.paths import ROOT
from e2e.cluster.shell import run

NODE = ROOT / "e2e/cluster/node"
RECORDED = ROOT / "tests/bench/hpa_recorded.json"
_PACKAGE = "k8s.io/kubernetes/pkg/controller/podautoscaler"
_PLACE = "podautoscaler"


def scenarios(count: int, seed: int) -> list[dict[str, Any]]:
    """Rules, and loads that wander, jump and can't be read at times."""
    chance = random.Random(seed)
    return [_scenario(chance) for _ in range(count)]


def _scenario(chance: random.Random) -> dict[str, Any]:
    least = chance.randint(1, 3)
    target, load = 1000, chance.randint(500, 8000)
    metrics = chance.choice((1, 1, 2))
    steps = []
    for _ in range(40):
        load = chance.randint(0, 16000) if chance.random() < 0.1 else max(0, load + chance.randint(-900, 900))
        steps.append(
            {
                "Seconds": 15,
                "Loads": [
                    None if chance.random() < 0.1 else load * (at + 1) // metrics for at in range(metrics)
                ],
                "Unready": chance.choice((0, 0, 0, 1, 3)),
                "Missing": chance.choice((0, 0, 0, 0, 1, 2)),
            }
        )
    return {
        "Least": least,
        "Most": least + chance.randint(0, 12),
        "Start": chance.randint(1, 16),
        "Target": target,
        "Up": _rules(chance, (0, 0, 60)),
        "Down": _rules(chance, (0, 60, 300)),
        "Steps": steps,
    }


def _rules(chance: random.Random, windows: tuple[int, ...]) -> dict[str, Any]:
    policies = [
        {
            "Value": (chance.choice((10, 50, 100)) if percent else chance.choice((1, 2, 4))),
            "Period": chance.choice((15, 60, 120)),
            "Percent": percent,
        }
        for percent in chance.choice(((True,), (False,), (False, True)))
    ]
    tolerance = chance.choice(("0.1", "0", "0.57", "0.8"))
    return {"Policies": policies, "Window": chance.choice(windows), "Tolerance": tolerance}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "scenarios.json"
        given.write_text(json.dumps(scenarios(100, seed=11)))
        module = Path(run(["go", "list", "-f", "{{.Dir}}", _PACKAGE], what="go list", cwd=NODE).strip())
        ours = Path(__file__).parent / "real" / "record_test.go"
        theirs = [path for path in module.glob("*.go") if not path.name.endswith("_test.go")]
        overlay = Path(folder) / "overlay.json"
        laid = {str(NODE / _PLACE / path.name): str(path) for path in [*theirs, ours]}
        overlay.write_text(json.dumps({"Replace": laid}))
        program = Path(folder) / "record"
        build = ["go", "test", "-c", "-vet=off", "-overlay", str(overlay), "-o", str(program), f"./{_PLACE}"]
        run(build, what="go test -c", cwd=NODE)
        test = [str(program), "-test.run=TestRecord"]
        run(test, what="recording", cwd=Path(folder), env=os.environ | {"SCENARIOS": str(given)})
        RECORDED.write_text(given.read_text() + "\n")


if __name__ == "__main__":
    main()
