"""The conversion's libraries report nothing to their makers."""

from __future__ import annotations

import subprocess
import sys

import pytest


def told(code: str) -> str:
    """What a fresh process prints."""
    command = [sys.executable, "-c", f"import sentiment_models; {code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_openvino_has_only_its_stub() -> None:
    found = told("from openvino.tools.ovc import telemetry_utils; print(telemetry_utils.tm.__name__)")
    assert found == "openvino.tools.ovc.telemetry_stub"


@pytest.mark.models
def test_nncf_has_only_its_stub() -> None:
    code = "print(isinstance(wrapper.telemetry, wrapper.NNCFTelemetryStub))"
    found = told(f"from nncf.telemetry import wrapper; {code}")
    assert found == "True"
