"""Alerts as a real Prometheus tells them, of rules as they are rendered."""

import json
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from sentiment_operator.api.v1alpha1 import Owner, SentimentServiceSpec
from sentiment_operator.kubectl.alerts import about
from sentiment_operator.kubectl.kube import Target
from sentiment_operator.render.prometheus_rule import groups

from e2e.cluster.debian import unpacked
from tests.operator.conftest import wait_for

SPEC = SentimentServiceSpec.model_validate({"monitoring": {"prometheusRule": {}}})


def rules(name: str, namespace: str) -> dict[str, Any]:
    """The first rule of a service, true at once."""
    rendered = groups(Owner(name=name, namespace=namespace, uid="u"), SPEC)[0]
    [rule] = rendered["rules"]
    return rendered | {"interval": "1s", "rules": [rule | {"expr": "vector(1)", "for": "0s"}]}


def test_alerts_that_fire_for_this_service(tmp_path: Path) -> None:
    every = [rules("reviews", "shop"), rules("reviews", "other"), rules("comments", "shop")]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": every}))
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"]}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [str(unpacked("prometheus") / "prometheus"), f"--config.file={tmp_path / 'prometheus.yaml'}",
               f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:

            def answer() -> Any:
                try:
                    with urllib.request.urlopen(f"http://{address}/api/v1/alerts") as told:
                        found = json.load(told)
                except OSError:
                    return None
                return found if len(found["data"]["alerts"]) == 3 else None

            found = list(about(wait_for("three alerts", answer), Target("reviews", "shop")))
        finally:
            process.terminate()
    [line] = found
    assert line.startswith("critical SentimentServiceUnavailable since 20")
    assert line.endswith(": SentimentService shop/reviews: no pod's /health has answered 200 for 1m.")
