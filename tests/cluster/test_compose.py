"""manifests/compose: read by Docker Compose's parser, its parts by the programs that they are for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.debian import unpacked
from e2e.compose.files import FOLDER, generated
from e2e.compose.parser import parsed

PROFILES = {
    "cpu": {"sentiment-1", "sentiment-2", "sentiment-3", "nginx"},
    "gpu": {"sentiment-gpu", "nginx-gpu"},
    "monitoring": {"prometheus", "alertmanager", "grafana"},
    "update": {"trial"},
}
# Those that end when their work is done.
PREPARE = {"prepare-volumes", "model"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = parsed()["services"]
    return found


def test_generated_files_are_current() -> None:
    stale = [path.name for path, text in generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make generate`"


def test_a_profile_is_whole(services: dict[str, Any]) -> None:
    for profile, own in PROFILES.items():
        assert {name for name, one in services.items() if profile in one.get("profiles", ())} == own
        for name in own:
            assert services[name].get("depends_on", {}).keys() <= own | PREPARE
    assert {name for name, one in services.items() if not one.get("profiles")} == PREPARE


def test_three_instances_have_limits_and_say_when_they_are_ready(services: dict[str, Any]) -> None:
    instances = [services[f"sentiment-{number}"] for number in (1, 2, 3)]
    for one in (*instances, services["trial"]):
        resources = one["deploy"]["resources"]
        assert resources["limits"]["memory"] == "2G"
        assert resources["reservations"]["memory"] == "1G"
        assert "ready" in one["healthcheck"]["test"][-1]
        assert {volume["target"]: volume.get("read_only", False) for volume in one["volumes"]} == {
            "/models": True,
            "/var/log/sentiment-service": False,
        }
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
    assert len({one["environment"]["LOG_FILE"] for one in instances}) == 3
    assert {waits["condition"] for waits in services["nginx"]["depends_on"].values()} == {"service_healthy"}


def test_what_is_tried_is_what_will_run(services: dict[str, Any]) -> None:
    first, trial = services["sentiment-1"], services["trial"]
    own = {"profiles", "restart", "networks", "environment"}
    assert {name for name in first if first[name] != trial.get(name)} == own
    assert first["environment"].keys() - trial["environment"].keys() == {"LOG_FILE"}


def test_what_serves_comes_back_with_the_machine_and_its_logs_end(services: dict[str, Any]) -> None:
    serving = set().union(*PROFILES.values()) - {"trial"}
    assert {services[name]["restart"] for name in serving} == {"unless-stopped"}
    assert {one["logging"]["options"]["max-size"] for one in services.values()} == {"50m"}


def test_the_gpu_is_asked_for(services: dict[str, Any]) -> None:
    one = services["sentiment-gpu"]
    [device] = one["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert one["environment"]["ENGINE"] == "torch"
    assert one["build"]["args"] == {"EXTRAS": "service torch"}
    assert one["build"]["dockerfile"] == services["sentiment-1"]["build"]["dockerfile"]


def test_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    sources = [Path(volume["source"]) for one in services.values() for volume in one.get("volumes", ())
               if volume["type"] == "bind"]  # fmt: skip
    assert sources
    assert [source for source in sources if not source.is_file()] == []


def test_an_update_goes_through_all_instances() -> None:
    [named] = re.findall(r"^for instance in (.+); do$", (FOLDER / "update.sh").read_text(), re.MULTILINE)
    assert set(named.split()) | {"nginx"} == PROFILES["cpu"]


@pytest.mark.parametrize(
    ("package", "command", "file"),
    [
        ("prometheus", ["promtool", "check", "config"], "prometheus.yaml"),
        ("prometheus-alertmanager", ["amtool", "check-config"], "alertmanager.yaml"),
    ],
)
def test_monitoring_reads_its_files(package: str, command: list[str], file: str) -> None:
    program, *words = command
    done = subprocess.run(
        [unpacked(package) / program, *words, FOLDER / file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
