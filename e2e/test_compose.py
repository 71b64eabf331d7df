"""manifests/compose in a real Docker with the real Docker Compose, on a machine of its own."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from .cluster.errors import ClusterError
from .cluster.images import PRODUCT
from .compose.engine import CGROUP, Machine, machine
from .compose.files import FOLDER
from .compose.images import SERVICE, made
from .load import Outcome, asking
from .wait import wait_for

pytestmark = pytest.mark.release
INSTANCES = {f"sentiment-{number}": f"10.89.78.1{number}" for number in (1, 2, 3)}
URL = "http://localhost"
ANALYZE = """
import json, sys, urllib.request as u
body = json.dumps({"text": "这款手机拍照效果真的很棒，电池续航也很给力！"}).encode()
for _ in range(int(sys.argv[2])):
    asked = u.Request(sys.argv[1] + "/api/v1/sentiment/analyze", body, {"Content-Type": "application/json"})
    print(json.load(u.urlopen(asked, timeout=30))["data"]["sentiment"])
"""
RIGHTS = """
import json, os, tempfile
def writes(folder):
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
[mask] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd")]
folders = ["/", "/models", "/var/log/sentiment-service"]
told = {"user": [os.getuid(), os.getgid()], "capabilities": int(mask, 16)}
print(json.dumps({**told, "written": {folder: writes(folder) for folder in folders}}))
"""


@pytest.fixture(scope="module")
def docker() -> Iterator[Machine]:
    """A machine on which nothing runs, with the images that a user would have pulled and built."""
    with machine() as one:
        for archive, name, wanted in made():
            one.run("docker", "load", "--input", archive)
            one.run("docker", "tag", name, wanted)
        yield one


@pytest.fixture(scope="module")
def up(docker: Machine) -> Machine:
    """The same after `docker compose up -d`."""
    compose(docker, "up", "-d")
    return docker


def compose(docker: Machine, *words: str) -> str:
    return docker.run("docker", "compose", *words, cwd=FOLDER)


def inspected(docker: Machine, service: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker.run("docker", "inspect", f"sentiment-{service}-1"))[0]
    return found


def state(docker: Machine, service: str) -> str:
    """Its health where it has a check of it, else whether it runs."""
    found = inspected(docker, service)["State"]
    return str(found.get("Health", found)["Status"])


def containers(docker: Machine) -> dict[str, str]:
    return {name: inspected(docker, name)["Id"] for name in INSTANCES}


def happened(docker: Machine, since: float) -> list[str]:
    """What became of the instances since a time: who ended, started and got healthy, in this order."""
    service = '{{index .Actor.Attributes "com.docker.compose.service"}}'
    wanted = [f"--filter=event={event}" for event in ("die", "start", "health_status")]
    span = [f"--since={since}", f"--until={time.time()}"]
    told = docker.run("docker", "events", *span, *wanted, f"--format={{{{.Action}}}} {service}")
    return [line for line in told.splitlines() if line.split()[-1] in INSTANCES]


def memory_limit(container: str) -> int:
    """As the kernel has it, in bytes."""
    mounted = Path("/sys/fs/cgroup")
    names = ("memory.limit_in_bytes", "memory.max")  # v1, v2
    [file] = [found for name in names for found in mounted.glob(f"**/{CGROUP}/{container}/{name}")]
    return int(file.read_text())


def written_rules() -> set[str]:
    groups = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    return {rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]}


def all_ready(docker: Machine) -> bool:
    return {state(docker, name) for name in (*INSTANCES, "nginx")} == {"healthy"}


def answered(docker: Machine) -> dict[str, float]:
    """Texts that each instance has judged since it started."""
    counted = {}
    for name, address in INSTANCES.items():
        metrics = docker.fetch(f"http://{address}:7860/metrics")
        counted[name] = sum(map(float, re.findall(r"^structbert_requests_total\S* (\S+)$", metrics, re.M)))
    return counted


def load(docker: Machine, method: str = "POST") -> AbstractContextManager[Outcome]:
    """Four callers, together below the rate that nginx allows of one address."""
    return asking(docker.command(sys.executable), "localhost", 80, callers=4, pause=0.08, method=method)


def retag(docker: Machine, *instructions: str) -> None:
    """What `docker compose build` would leave: another image under the name that compose.yaml has."""
    dockerfile = "\n".join([f"FROM {PRODUCT[0].short_reference}", *instructions])
    docker.run("sh", "-c", f"echo '{dockerfile}' | docker build --tag {SERVICE} -")


def test_three_instances_answer_behind_nginx(up: Machine) -> None:
    assert {state(up, name) for name in INSTANCES} == {"healthy"}
    wait_for("a healthy nginx", lambda: all_ready(up))
    assert json.loads(up.fetch(f"{URL}/health"))["status"] == "healthy"
    before = answered(up)
    said = up.run(sys.executable, "-c", ANALYZE, URL, "12").split()
    assert said == ["积极"] * 12
    after = answered(up)
    assert all(after[name] > before[name] for name in INSTANCES), (before, after)


def test_an_instance_has_the_limits_and_the_rights_of_the_file(up: Machine) -> None:
    for name in INSTANCES:
        found = inspected(up, name)
        assert memory_limit(found["Id"]) == 2 << 30
        assert found["HostConfig"]["LogConfig"]["Config"]["max-size"]
    tried = json.loads(compose(up, "exec", "sentiment-1", "/app/bin/python", "-c", RIGHTS))
    assert tried == {
        "user": [1000, 1000],
        "capabilities": 0,
        "written": {"/": False, "/models": False, "/var/log/sentiment-service": True},
    }


def test_volumes_have_the_model_once_and_the_logs(up: Machine) -> None:
    listed = "import os; print(*os.listdir('/models'), *os.listdir('/var/log/sentiment-service'))"
    files = compose(up, "exec", "sentiment-1", "/app/bin/python", "-c", listed).split()
    assert {"1.log", "2.log", "3.log"} <= {*files}
    packages = [name for name in files if name.startswith("bundled")]
    assert len(packages) == 2, "the package, and the link to it"
    loaded = [mount for mount in inspected(up, "sentiment-1")["Mounts"] if mount["Destination"] == "/models"]
    assert [(mount["Name"], mount["RW"]) for mount in loaded] == [("sentiment_models", False)]
    assert inspected(up, "model")["State"]["ExitCode"] == 0
    # It finds its package and lets it be.
    written = "import os; print(os.stat('/models/bundled/model.bin').st_ctime_ns)"
    before = compose(up, "exec", "sentiment-1", "/app/bin/python", "-c", written)
    compose(up, "run", "--rm", "--no-deps", "model")
    assert compose(up, "exec", "sentiment-1", "/app/bin/python", "-c", written) == before


def test_an_update_loses_no_request_and_takes_one_after_the_other(up: Machine) -> None:
    wait_for("ready instances", lambda: all_ready(up))
    before = containers(up)
    retag(up, "LABEL update=1")
    begin = time.time()
    with load(up) as outcome:
        up.run(FOLDER / "update.sh")
    assert outcome.failed == []
    after = containers(up)
    assert not {*before.values()} & {*after.values()}
    for name in INSTANCES:
        assert inspected(up, name)["Config"]["Labels"]["update"] == "1"
    # Each was ready before the next one was stopped.
    steps = ("die", "start", "health_status: healthy")
    assert happened(up, begin) == [f"{step} {name}" for name in INSTANCES for step in steps]
    assert "trial" not in compose(up, "ps", "--all", "--services").split()


def test_an_image_that_does_not_get_ready_reaches_no_caller(up: Machine) -> None:
    wait_for("ready instances", lambda: all_ready(up))
    before = containers(up)
    retag(up, "ENV ENGINE=torch")
    with load(up) as outcome:
        updated = up.attempt(FOLDER / "update.sh")
    retag(up)
    assert updated.returncode != 0
    assert "the model cannot be loaded: ENGINE=torch" in updated.stdout
    assert outcome.failed == []
    assert containers(up) == before


def test_an_update_stops_at_the_first_instance_that_does_not_get_ready(up: Machine, tmp_path: Path) -> None:
    wait_for("ready instances", lambda: all_ready(up))
    before = containers(up)
    override = tmp_path / "broken.yaml"
    override.write_text(
        "services: {sentiment-1: {environment: {MODEL_DIR: /models/none}, healthcheck: {start_period: 1s}}}"
    )
    files = {"COMPOSE_FILE": f"{FOLDER / 'compose.yaml'}:{override}"}
    updated = up.attempt(FOLDER / "update.sh", env=files)
    assert updated.returncode != 0
    assert "/models/none" in updated.stdout
    assert inspected(up, "sentiment-1")["State"]["Status"] == "exited"
    with load(up) as outcome:
        wait_for("answers of the others", lambda: outcome.sent > 100)
    assert outcome.failed == []
    assert {**before, "sentiment-1": ""} == {**containers(up), "sentiment-1": ""}
    # What is put right is taken.
    up.run(FOLDER / "update.sh")
    assert all_ready(up)


def test_an_instance_that_dies_costs_no_safe_request_and_comes_back(up: Machine) -> None:
    wait_for("ready instances", lambda: all_ready(up))
    process = str(inspected(up, "sentiment-2")["State"]["Pid"])
    with load(up, "GET") as outcome:
        up.run("kill", "-KILL", process)
        wait_for("a restart", lambda: inspected(up, "sentiment-2")["RestartCount"] == 1)
        wait_for("ready instances", lambda: all_ready(up))
    assert outcome.failed == []


def test_all_come_back_when_the_machine_does(up: Machine) -> None:
    wait_for("ready instances", lambda: all_ready(up))
    up.off()
    up.on()
    wait_for("ready instances", lambda: all_ready(up))
    assert up.run(sys.executable, "-c", ANALYZE, URL, "1").split() == ["积极"]


def test_prometheus_sees_all_instances_and_alertmanager_hears_when_none_is_left(up: Machine) -> None:
    compose(up, "--profile", "monitoring", "up", "-d", "prometheus", "alertmanager")

    def api(path: str) -> Any:
        try:
            return json.loads(up.fetch(f"http://localhost:{path}"))
        except ClusterError:  # not up yet
            return None

    def targets() -> dict[str, str]:
        found = api("9090/api/v1/targets")
        return (
            {one["labels"]["pod"]: one["health"] for one in found["data"]["activeTargets"]} if found else {}
        )

    def alerts() -> set[str]:
        return {alert["labels"]["alertname"] for alert in api("9093/api/v2/alerts") or ()}

    pods = {f"sentiment-compose-{number}": "up" for number in (1, 2, 3)}
    wait_for("targets that are up", lambda: targets() == pods)
    rules = [rule for group in api("9090/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == written_rules()
    assert [rule for rule in rules if rule["health"] == "err"] == []
    compose(up, "stop", *INSTANCES)
    wait_for("the alert", lambda: "SentimentServiceUnavailable" in alerts(), 240)
    compose(up, "start", *INSTANCES)
    wait_for("ready instances", lambda: all_ready(up))
    wait_for("the end of the alert", lambda: "SentimentServiceUnavailable" not in alerts(), 240)


def test_down_leaves_nothing(up: Machine) -> None:
    compose(up, "--profile", "*", "down", "--volumes")
    label = "label=com.docker.compose.project=sentiment"
    for kind in (["container", "ls", "--all"], ["network", "ls"], ["volume", "ls"]):
        assert up.run("docker", *kind, "--quiet", "--filter", label) == ""
