"""The bundle passes the check that OperatorHub makes of those that are handed in."""

import shutil
import subprocess
from pathlib import Path

import pytest

from .cluster.build import Program, build_module
from .olm.bundle import FOLDER

pytestmark = pytest.mark.release
_CHECK = Program("operator-verify", "github.com/operator-framework/api/cmd/operator-verify")


def faults(folder: Path) -> list[str]:
    """What the check calls errors; it ends with 0 also then."""
    program = build_module((_CHECK,), Path(__file__).parent / "olm") / _CHECK.name
    command = [str(program), "manifests", "--operatorhub_validate", "--object_validate", str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return [line for line in told.splitlines() if "level=error" in line]


def test_operatorhub_takes_the_bundle(tmp_path: Path) -> None:
    assert faults(FOLDER) == []
    spoilt = shutil.copytree(FOLDER, tmp_path / "olm")
    (spoilt / "manifests/sentimentmodels.sentiment-operator.io.crd.yaml").unlink()
    assert any("sentimentmodels" in fault for fault in faults(spoilt))
