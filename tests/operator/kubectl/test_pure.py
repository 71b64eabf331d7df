"""What `kubectl sentiment` decides without a cluster: reasons, explanations, figures, logs, files."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from rich.console import Console
from sentiment_operator.api.v1alpha1 import API_VERSION, KIND, MODEL_KIND, Owner, SentimentServiceSpec
from sentiment_operator.kubectl import offline, screens, traffic
from sentiment_operator.kubectl.explain import Trouble, ready, troubles
from sentiment_operator.kubectl.kube import KubeError, Target
from sentiment_operator.kubectl.logs import readable
from sentiment_operator.kubectl.main import main
from sentiment_operator.kubectl.reasons import reasons
from sentiment_operator.reconcile import model_conditions, remedies
from sentiment_operator.render import Surroundings, render

from tests.operator.conftest import ROOT
from tests.operator.specs import CASES, FULL

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def test_reasons_are_those_of_the_page() -> None:
    known = reasons()
    page = (ROOT / "docs/troubleshooting.md").read_text()
    assert set(re.findall(r"^\| `([A-Z]\w+)`", page, re.M)) <= known.keys() | {"Available", "Progressing"}
    assert known["VolumeLost"].remedy == "Delete the claim; a new one is made and filled."
    assert known["NoMatchingParent"].remedy == "The Gateway's listeners and the route don't fit."
    assert known.keys() >= remedies.REMEDIES.keys() - {"OutOfMemory"}
    assert model_conditions.__doc__


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-02T11:55:00Z"}  # fmt: skip


def service(*conditions: dict[str, str], seen: int = 2) -> dict[str, Any]:
    return {
        "metadata": {"name": "reviews", "generation": 2},
        "status": {"observedGeneration": seen, "conditions": list(conditions)},
    }


FAILING = (
    condition("Ready", "False", "OOMKilled", "pod a, container server: raise it"),
    condition("Available", "False", "NoPodAnswers"),
    condition("Degraded", "True", "OOMKilled", "pod a, container server: raise it"),
    condition("Progressing", "False", "Settled"),
)


def test_one_cause_is_told_once_with_its_remedy_and_before_what_follows_from_it() -> None:
    first, second = troubles(service(*FAILING), [], reasons())
    assert (first.where, first.reason) == ("Degraded", "OOMKilled")
    assert first.remedy == "Raise `spec.resources.limits.memory`."
    assert second.reason == "NoPodAnswers"
    assert not ready(service(*FAILING))


def test_what_a_container_waits_for_is_told() -> None:
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, "name": "server"}
    pod = {"metadata": {"name": "a"}, "status": {"containerStatuses": [waiting]}}
    well = service(condition("Ready", "True", "Ready"), condition("Progressing", "False", "Settled"))
    assert ready(well)
    assert troubles(well, [], reasons()) == []
    [found] = troubles(well, [pod], reasons())
    assert found == Trouble(
        "pod a, server", "ImagePullBackOff", "no such image", *vars(reasons()["ImagePullBackOff"]).values()
    )


@pytest.mark.parametrize(
    ("obj", "reason"),
    [
        ({"metadata": {"name": "x", "generation": 1}}, "NoStatus"),
        (service(condition("Ready", "True", "Ready"), seen=1), "NotSeen"),
    ],
)
def test_an_operator_that_says_nothing_is_told(obj: dict[str, Any], reason: str) -> None:
    assert [one.reason for one in troubles(obj, [], reasons())] == [reason]
    assert not ready(obj)


def test_a_screen_shows_all() -> None:
    console = Console(width=120, record=True, file=None, force_terminal=False)
    pod = {
        "metadata": {"name": "reviews-1", "creationTimestamp": "2026-01-02T09:00:00Z"},
        "spec": {"containers": [{}], "nodeName": "n1"},
        "status": {"containerStatuses": [{"ready": True, "restartCount": 3, "state": {}, "name": "server"}]},
    }
    for part in (
        screens.conditions(service(*FAILING), NOW),
        screens.pods([pod], NOW),
        screens.traffic(traffic.Traffic(requests=1200, timed=10, seconds=0.5, memory=3e8)),
        screens.alerts(["critical SentimentServiceDown since 2026-01-02T11:00:00: gone"]),
        screens.usage([("reviews-1", "1500m", "300Mi", traffic.Traffic(requests=30, texts=60))], 3),
    ):
        console.print(part)
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["Ready", "✗", "5m", "OOMKilled", "pod", "a,", "container", "server:", "raise", "it"] in lines
    assert ["reviews-1", "1/1", "3", "3h", "n1"] in lines
    assert ["requests", "1,200", "since", "the", "pods", "started,", "50", "ms", "on", "average"] in lines
    assert ["reviews-1", "1500m", "300Mi", "10.0", "20.0", "–", "0", "0"] in lines


def test_usage_as_people_read_it() -> None:
    assert screens.used([{"usage": {"cpu": "56520259n", "memory": "206328Ki"}}]) == ("57m", "211 MB")
    two = [{"usage": {"cpu": "1", "memory": "1Gi"}}, {"usage": {"cpu": "250m", "memory": "0"}}]
    assert screens.used(two) == ("1250m", "1074 MB")
    assert screens.used([]) == ("–", "–")


def exposition() -> str:
    registry = CollectorRegistry()
    requests = Counter("structbert_requests", "", ["endpoint", "status", "model"], registry=registry)
    for status, count in (("200", 7), ("429", 2), ("503", 1)):
        requests.labels("/a", status, "m").inc(count)
    latency = Histogram("structbert_request_latency_seconds", "", ["endpoint"], registry=registry)
    latency.labels("/a").observe(0.5)
    latency.labels("/b").observe(0.1)
    Gauge("structbert_queue_length", "", ["model"], registry=registry).labels("m").set(4)
    return generate_latest(registry).decode()


def test_figures_of_pods_add_up_and_are_compared() -> None:
    one = traffic.parse(exposition())
    assert (one.requests, one.refused, one.failed, one.queued) == (10, 2, 1, 4)
    assert (one.timed, round(one.average_ms)) == (2, 300)
    assert (one + one).requests == 20
    later = (one + one).since(one)
    assert (later.requests, later.queued) == (10, 8)
    assert traffic.Traffic().average_ms == 0


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '[pod/a/server] {"timestamp": "2026-11-25T08:27:25.814728Z", "level": "INFO", "type": "event", '
            '"message": "listening", "port": 7860}',
            "[pod/a/server] 08:27:25.814 INFO    listening port=7860",
        ),
        ("[pod/a/server] {broken", "[pod/a/server] {broken"),
        ("plain", "plain"),
        ('{"no": "stamp"}', '{"no": "stamp"}'),
    ],
)
def test_logs_are_readable(line: str, shown: str) -> None:
    assert readable(line) == shown


def test_names() -> None:
    assert Target.parse("reviews", "shop") == Target("reviews", "shop")
    assert Target.parse("smodel/m", "shop").selector.endswith("=sentiment-model,app.kubernetes.io/instance=m")
    with pytest.raises(KubeError, match="neither a service"):
        Target.parse("pod/x", "shop")


def parsed(spec: dict[str, Any]) -> SentimentServiceSpec:
    return SentimentServiceSpec.model_validate(spec)


def document(spec: dict[str, Any], kind: str = KIND, **meta: str) -> str:
    return yaml.safe_dump({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "reviews", **meta},
                           "spec": spec})  # fmt: skip


@pytest.mark.parametrize("name", [name for name in CASES if not parsed(CASES[name][0]).references])
def test_what_is_rendered_is_what_the_operator_applies(name: str) -> None:
    spec = CASES[name][0]
    owner = Owner(kind=KIND, name="reviews", namespace="shop", uid=offline.UID)
    around = Surroundings("service:1", offline._ALL)
    wanted = render(owner, parsed(spec), around).apply
    assert list(offline.children_of(document(spec, namespace="shop"), "default", "service:1", "m")) == wanted


def test_a_service_with_its_model_in_one_file() -> None:
    text = "---\n".join((
        document({"source": {"bundled": {}}}, MODEL_KIND),
        document({"model": {"modelRef": {"name": "reviews"}}}),
        "apiVersion: v1\nkind: ConfigMap\n",
    ))  # fmt: skip
    made = list(offline.children_of(text, "default", "service:1", "models:1"))
    assert [one["kind"] for one in made] == ["PersistentVolumeClaim", "Job", "Service", "Deployment"]
    claim, _, _, deployment = made
    mounted = [one.get("persistentVolumeClaim") for one in deployment["spec"]["template"]["spec"]["volumes"]]
    assert claim["metadata"]["name"] in [one["claimName"] for one in mounted if one]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "no YAML"),
        ("kind: Pod\n", "no SentimentService or SentimentModel"),
        (document({"replicas": -1}), "SentimentService reviews: spec.replicas: "),
        (document({**FULL, "colour": "red"}), "spec.colour: Extra inputs are not permitted"),
    ],
)
def test_a_file_that_is_wrong_says_where(
    text: str, says: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yaml").write_text(text)
    assert main(["render", str(tmp_path / "x.yaml")]) == 1
    assert says in capsys.readouterr().err


def test_the_wheel_without_any_extra_says_what_to_install() -> None:
    start = "import sys; from sentiment_operator.kubectl.start import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", start, "status", "x"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [said] = done.stderr.splitlines()
    assert said.endswith(" is missing: pip install 'sentiment-operator[kubectl]'")
