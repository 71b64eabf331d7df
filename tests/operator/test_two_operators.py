"""Two operator processes on a real API server: one writes, and the other takes over."""

import json
import signal
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sentiment_operator.api.v1alpha1 import API_VERSION, KIND

from .conftest import NAMESPACE, Api, Operator, wait_for

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

pytestmark = pytest.mark.api


def _apply(api: Api, namespace: str, name: str) -> None:
    made = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": {}}
    api("-n", namespace, "apply", "--server-side", "-f", "-", stdin=made)


def _holder(api: Api) -> str:
    return str(api.get("-n", NAMESPACE, "lease", "sentiment-operator")["spec"]["holderIdentity"])


def _writes(control_plane: "ClusterPaths", agent: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in control_plane.audit_log.read_text().splitlines())
    return [
        line
        for line in lines
        if line["userAgent"] == f"sentiment-operator/{agent}"
        and line["verb"] in ("create", "update", "patch", "delete")
        and line["objectRef"]["resource"] != "leases"
    ]


def test_a_paused_leader_writes_nothing_when_it_wakes(
    api: Api, operator: Operator, control_plane: "ClusterPaths", namespace: str
) -> None:
    first = wait_for("leader", lambda: _holder(api))
    second = replace(operator, log=operator.log.with_name("second"), process=None)
    second.start()
    try:
        for number in range(12):
            _apply(api, namespace, f"before{number}")
        # In the middle of its work, as far as a test can hit that.
        assert operator.process
        operator.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        _apply(api, namespace, "after")
        wait_for("other leader", lambda: _holder(api) not in ("", first), 25)
        assert time.monotonic() - stopped <= 20
        taken = api.get("-n", NAMESPACE, "lease", "sentiment-operator")["spec"]["acquireTime"]
        names = ["after", *(f"before{number}" for number in range(12))]
        made = partial(api, "-n", namespace, "get", "deployments", "-o", "name")
        wait_for("all children", lambda: len(made().split()) == len(names))
        operator.process.send_signal(signal.SIGCONT)
        wait_for("insight", lambda: operator.leads() == 0)
        late = [line for line in _writes(control_plane, first) if line["requestReceivedTimestamp"] > taken]
        assert late == []
        assert _writes(control_plane, _holder(api)), "the other did not write either"
    finally:
        assert second.stop() == 0
    released = time.monotonic()
    wait_for("the first to lead again", lambda: _holder(api).split("_")[0] and operator.leads() == 1)
    assert time.monotonic() - released < 10, "a Lease that was given back is taken at once"
