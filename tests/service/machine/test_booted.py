"""The unit under a real systemd: ready, sandboxed, watched, stopped. Needs root, for namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentiment_service.machine.render import Plan, Site, systemd

from tests.service.machine.booted import PYTHON, booted
from tests.service.running import wait_for

pytestmark = pytest.mark.e2e

UNIT = "sentiment-service@7861.service"
# Where the test's service is, and what would take long: the watchdog's patience.
_DROP_IN = """[Service]
Environment=LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/libraries:/opt/service
Environment=WARM_UP=true DRAIN_SECONDS=0
StandardOutput=append:/var/log/instance.log
StandardError=inherit
WatchdogSec=5
"""
_TELLING = ("ActiveState", "Result", "ExecMainCode", "ExecMainStatus", "NRestarts")
_ASK = """
import json, urllib.request
body = json.dumps({"text": "服务态度很好"}).encode()
headers = {"Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:7861/api/v1/sentiment/analyze", body, headers)
print(json.load(urllib.request.urlopen(request, timeout=30))["data"]["sentiment"])
"""


def test_the_unit_under_systemd(tmp_path: Path) -> None:
    units = tmp_path / "units"
    wanted = units / "sentiment-service.target.wants"
    changes = units / "sentiment-service@.service.d"
    for folder in (wanted, changes):
        folder.mkdir(parents=True)
    plan = Plan(python=PYTHON)
    for where, text in systemd(plan, Site(upstreams=plan.upstreams)).items():
        (units / where.name).write_text(text)
    (changes / "test.conf").write_text(_DROP_IN)
    (wanted / UNIT).symlink_to(units / "sentiment-service@.service")

    with booted(units, tmp_path / "boot.log") as machine:
        machine.systemctl("start", "sentiment-service.target")
        try:
            wait_for("READY=1", lambda: machine.show(UNIT)["ActiveState"] == "active", 60)
            assert machine.run("env", "LD_LIBRARY_PATH=/opt/python/lib", PYTHON, "-c", _ASK).strip() == "积极"
            first = machine.show(UNIT)
            status = machine.run("cat", f"/proc/{first['MainPID']}/status")
            facts = {
                name: value.strip()
                for name, _, value in (line.partition(":") for line in status.splitlines())
            }
            assert "0" not in facts["Uid"].split()
            assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
            assert facts["NoNewPrivs"] == "1"
            assert facts["Seccomp"] == "2"

            # It hangs: systemd hears nothing, and starts another one.
            machine.run("kill", "-STOP", first["MainPID"])
            wait_for("the watchdog", lambda: machine.show(UNIT)["NRestarts"] == "1", 60)
            wait_for("READY=1 again", lambda: machine.show(UNIT)["ActiveState"] == "active", 60)
            assert machine.show(UNIT)["MainPID"] != first["MainPID"]

            machine.systemctl("stop", "sentiment-service.target")
            wait_for("the end", lambda: machine.show(UNIT)["ActiveState"] == "inactive", 60)
            assert machine.show(UNIT)["Result"] == "success"
        except BaseException:
            print(machine.run("sh", "-c", "cat /var/log/instance.log || true"))
            print({name: value for name, value in machine.show(UNIT).items() if name in _TELLING})
            raise
