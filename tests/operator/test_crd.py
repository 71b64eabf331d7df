"""The CRD against a real API server: defaults, refusals, explanations; and its own rules without one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sentiment_operator.api.crd import sentiment_model_crd, sentiment_service_crd, spec_schema
from sentiment_operator.api.v1alpha1 import MODEL_KIND, SentimentModelSpec, SentimentServiceSpec

from .conftest import ROOT, Api, KubectlError, wait_for
from .specs import CASES, MODEL_CASES
from .steps import manifest

MANY = {"accessMode": "ReadWriteMany"}
HPA = {"type": "HPA"}
KEDA = {"type": "KEDA", "prometheusAddress": "http://prometheus:9090"}
TO_ZERO = {**KEDA, "minReplicas": 0, "activationQuery": "sum(rate(requests_total[2m]))"}
NAMED = {"name": "a", "modelRef": {"name": "m"}}


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field.get("items", field), f"{path}.{name}")


def version(crd: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def messages(schema: dict[str, Any]) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for field in schema.get("properties", {}).values():
        yield from messages(field.get("items", field))


@pytest.mark.parametrize("crd", [sentiment_service_crd(), sentiment_model_crd()], ids=["service", "model"])
def test_it_is_small_and_every_field_is_explained(crd: dict[str, Any]) -> None:
    assert len(yaml.safe_dump(crd).encode()) <= 200_000
    without = [path for path, field in fields(version(crd)) if not field.get("description")]
    assert without == [".metadata", ".metadata.name"]  # Kubernetes' own


# (what is wrong, part of the message); each CEL rule has a line.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 2, "autoscaling": HPA}, "remove replicas, or set spec.autoscaling.type to None"),
    (
        {"availability": {"antiAffinity": "Required"}},
        "set it to ReadWriteMany, or spec.availability.antiAffinity to Preferred",
    ),
    (
        {"availability": {"topologySpread": [{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}},
        "or whenUnsatisfiable in spec.availability.topologySpread to ScheduleAnyway",
    ),
    ({"model": {"bundled": {}, "modelRef": {"name": "x"}}}, "spec.model: give bundled"),
    ({"models": [NAMED], "model": {"bundled": {}}}, "spec.models takes the place of spec.model: remove"),
    ({"models": [NAMED, {**NAMED, "default": True}]}, "two models have the same name; give each one"),
    (
        {"models": [{**NAMED, "default": True}, {**NAMED, "name": "b", "default": True}]},
        "spec.models: only one can be the default; leave default: true at one of them",
    ),
    ({"models": []}, "spec.models in body should have at least 1 items"),
    ({"models": [{**NAMED, "name": "a,b"}]}, "spec.models[0].name in body should match"),
    ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}, "raise limits.cpu"),
    ({"resources": {"requests": {"memory": "2Gi"}}}, "raise limits.memory or lower the request"),
    ({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}}, "raise limits.cpu"),
    (
        {"resources": {"requests": {"cpu": -1}}},
        "resources.requests.cpu in body should be greater than or equal",
    ),
    ({"resources": {"requests": {"cpu": "1 core"}}}, "resources.requests.cpu in body should match"),
    (
        {
            "resources": {
                "requests": {"ephemeral-storage": "2Gi"},
                "limits": {"ephemeral-storage": "1Gi"},
            }
        },
        "raise limits.ephemeral-storage",
    ),
    ({"resources": {"extended": {"cpu": "1"}}}, "spec.resources.extended: a resource has a domain"),
    ({"serving": {"memorySoftLimitBytes": 1 << 30}}, "memorySoftLimitBytes must be below spec.resources"),
    (
        {"profile": "edge", "serving": {"memorySoftLimitBytes": 1 << 28}},
        "(profile edge: 256Mi, with a SentimentModel 512Mi), at which pods are killed",
    ),
    (
        {"profile": "edge", "resources": {"limits": {"memory": "2Gi"}}},
        "spec.profile edge decides requests and limits in spec.resources: leave them out",
    ),
    ({"profile": "edge", "resources": {"limits": {"cpu": "1"}}}, "spec.profile edge decides requests"),
    ({"profile": "edge", "resources": {"requests": {"cpu": "1"}}}, "spec.profile edge decides requests"),
    ({"serving": {"queueLimit": 10}}, "raise it to maxBatchItems or more"),
    ({"rollout": {"maxSurge": 0}}, "maxSurge and maxUnavailable can't both be zero"),
    ({"rollout": {"minReadySeconds": 600}}, "progressDeadlineSeconds must be more than minReadySeconds"),
    ({"autoscaling": {**HPA, "minReplicas": 11}}, "spec.autoscaling.minReplicas is above maxReplicas"),
    (
        {"autoscaling": {**HPA, "targetCPUUtilizationPercent": 0, "targetActiveRequestsPerPod": 0}},
        "spec.autoscaling has nothing to scale by",
    ),
    ({"autoscaling": {"type": "KEDA"}}, "spec.autoscaling.prometheusAddress: KEDA reads active requests"),
    ({"autoscaling": {**HPA, "minReplicas": 0}}, "set type to KEDA and give activationQuery"),
    ({"autoscaling": {**TO_ZERO, "type": "HPA"}}, "set type to KEDA and give activationQuery"),
    (
        {"autoscaling": {**KEDA, "minReplicas": 0}},
        "set type to KEDA and give activationQuery and prometheusAddress, or set minReplicas to 1 or more",
    ),
    (
        {"autoscaling": {**TO_ZERO, "minReplicas": 1}},
        "spec.autoscaling.activationQuery starts the first pod: set minReplicas to 0, or remove it",
    ),
    (
        {"availability": {"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}},
        "give minAvailable or maxUnavailable, not both",
    ),
    (
        {"monitoring": {"serviceMonitor": {"interval": "5s"}}},
        "scrapeTimeout is longer than interval: shorten it",
    ),
    ({"monitoring": {"tracing": {"otlpEndpoint": "http://a:65536"}}}, "tracing.otlpEndpoint in body should"),
    (
        {"monitoring": {"tracing": {"otlpEndpoint": "http://a:0"}}},
        "tracing.otlpEndpoint in body should match",
    ),
    ({"access": {"service": {"loadBalancerClass": "x"}}}, "need type: LoadBalancer"),
    ({"access": {"service": {"externalTrafficPolicy": "Local"}}}, "needs type: NodePort or LoadBalancer"),
    (
        {"access": {"ingress": {"host": "a.b"}, "httpRoute": {"parentRefs": [{"name": "x"}]}}},
        "give ingress or httpRoute, not both",
    ),
    (
        {"access": {"networkPolicy": {"allowFrom": [{"name": "x", "cidr": "10.0.0.0/8", "podLabels": {}}]}}},
        "a peer is either a cidr, or namespaceLabels and podLabels",
    ),
    ({"pod": {"labels": {"app.kubernetes.io/name": "x"}}}, "choose another prefix"),
    ({"pod": {"labels": {"model.sentiment-operator.io/m": "x"}}}, "choose another prefix"),
    ({"pod": {"env": [{"name": "WARM_UP", "value": "1"}]}}, "spec.pod.env names a variable that another"),
    (
        {"pod": {"env": [{"name": "X", "value": "1"}, {"name": "X", "value": "2"}]}},
        "spec.pod.env[1]: Duplicate",
    ),
    ({"image": {"pullSecrets": ["a", "a"]}}, "spec.image.pullSecrets[1]: Duplicate value"),
    (
        {
            "availability": {
                "topologySpread": [{"topologyKey": "zone"}, {"topologyKey": "zone", "maxSkew": 2}]
            }
        },
        "spec.availability.topologySpread[1]: Duplicate value",
    ),
    ({"pod": {"env": [{"name": "X"}]}}, "give each variable either value or valueFrom"),
    ({"pod": {"env": [{"name": "X", "valueFrom": {}}]}}, "takes exactly one of secretKeyRef"),
]
HTTP = {"url": "https://example.com/m.tar"}
MODELS_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"source": {}}, "spec.source: give exactly one of bundled, pvc, http, s3, huggingFace, modelScope and"),
    ({"source": {"bundled": {}, "http": HTTP}}, "spec.source: give exactly one of"),
    (
        {"source": {"bundled": {}, "credentialsSecretRef": {"name": "x"}}},
        "spec.source.credentialsSecretRef is for http, s3, huggingFace and modelScope: remove it",
    ),
    (
        {"source": {"http": {"url": "https://me:secret@example.com/m.tar"}}},
        "spec.source.http.url holds a user or a password: put them into a Secret",
    ),
    (
        {"source": {"s3": {"url": "s3://a/b", "endpoint": "https://k:s@minio.example.com"}}},
        "spec.source.s3.endpoint holds a user or a password",
    ),
    (
        {"source": {"huggingFace": {"repository": "a/b", "endpoint": "https://t@hub.example.com"}}},
        "the hub's endpoint holds a user or a password",
    ),
    (
        {
            "source": {
                "modelScope": {
                    "repository": "a/b",
                    "endpoint": "https://hub.example.com",
                    "offline": {"claimName": "caches"},
                }
            }
        },
        "with offline no hub is asked: remove endpoint",
    ),
    (
        {
            "source": {"http": HTTP},
            "gate": {"evaluation": {"http": {"url": "http://me@example.com/texts.csv"}}},
        },
        "spec.gate.evaluation.http.url holds a user or a password",
    ),
    (
        {"source": {"http": HTTP}, "gate": {"evaluation": {}}},
        "spec.gate.evaluation: give exactly one of configMapKeyRef, pvc and http",
    ),
    (
        {
            "source": {"http": HTTP},
            "pruning": {
                "percent": 25,
                "distillation": {"texts": {"http": {"url": "http://me@example.com/texts.csv"}}},
            },
        },
        "spec.pruning.distillation.texts.http.url holds a user or a password",
    ),
    (
        {"source": {"http": HTTP}, "pruning": {"percent": 25, "distillation": {"texts": {}}}},
        "spec.pruning.distillation.texts: give exactly one of configMapKeyRef, pvc and http",
    ),
    ({"source": {"http": HTTP}, "pruning": {}}, "spec.pruning.percent: Required value"),
    (
        {"source": {"http": HTTP}, "engine": "torch", "precision": "int8"},
        "spec.precision: with engine torch the device decides it: remove it",
    ),
    (
        {"source": {"http": HTTP}, "engine": "torch", "pruning": {"percent": 25}},
        "spec.pruning: with engine torch the checkpoint is served whole: remove it",
    ),
    (
        {"source": {"bundled": {}}, "engine": "torch"},
        "spec.engine: the bundled model is for openvino: remove engine, or name another source",
    ),
    ({"source": {"http": HTTP}, "engine": "onnx"}, 'spec.engine: Unsupported value: "onnx"'),
    (
        {"source": {"http": HTTP}, "job": {"resources": {"requests": {"memory": "8Gi"}}}},
        "spec.job.resources.requests.memory is above its limit: raise limits.memory",
    ),
    (
        {
            "source": {"http": HTTP},
            "job": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
        },
        "spec.job.resources.requests.cpu is above its limit",
    ),
    (
        {
            "source": {"http": HTTP},
            "job": {
                "resources": {
                    "requests": {"ephemeral-storage": "2Gi"},
                    "limits": {"ephemeral-storage": "1Gi"},
                }
            },
        },
        "spec.job.resources.requests.ephemeral-storage is above its limit",
    ),
    ({"source": {"http": HTTP}, "job": {"env": [{"name": "X"}]}}, "give each variable either value or"),
    (
        {
            "source": {"http": HTTP},
            "job": {"env": [{"name": "X", "value": "1"}, {"name": "X", "value": "1"}]},
        },
        "spec.job.env[1]: Duplicate value",
    ),
    (
        {"source": {"http": HTTP}, "job": {"env": [{"name": "X", "valueFrom": {}}]}},
        "takes exactly one of secretKeyRef",
    ),
    ({"source": {"pvc": {"claimName": "x", "path": "../etc"}}}, "spec.source.pvc.path in body should match"),
    ({}, "spec.source: Required value"),
    ({"source": {"modelScope": {"repository": "structbert"}}}, "modelScope.repository in body should match"),
]
# Rules on a change; test_api_server.py has them.
SCHEMAS = {"service": (spec_schema(), REFUSED), "model": (spec_schema(SentimentModelSpec), MODELS_REFUSED)}
CHANGES = {
    message
    for schema, _ in SCHEMAS.values()
    for message in messages(schema)
    if "spec.storage" in message and "existing" in message
}
CHANGES |= {"spec.storage.size can only grow: keep the old size or more"}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_rule_has_a_case(kind: str) -> None:
    schema, refused = SCHEMAS[kind]
    uncovered = [
        message
        for message in messages(schema)
        if message not in CHANGES and not any(words in message for _, words in refused)
    ]
    assert uncovered == []


def listed(specs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """One List of them all: s0, s1, …"""
    items = [{**manifest(f"s{number}", **spec), **more} for number, spec in enumerate(specs)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


@pytest.mark.api
def test_each_rule_refuses_with_its_message(api: Api) -> None:
    with pytest.raises(KubectlError) as refused:
        api("create", "--dry-run=server", "-f", "-", stdin=listed([spec for spec, _ in REFUSED]))
    told = dict(re.findall(r'"s(\d+)" is invalid: (.*)', str(refused.value)))
    for number, (spec, words) in enumerate(REFUSED):
        assert words in told[str(number)], spec


@pytest.mark.api
def test_each_rule_of_models_refuses_with_its_message(api: Api) -> None:
    models = listed([spec for spec, _ in MODELS_REFUSED], kind=MODEL_KIND)
    with pytest.raises(KubectlError) as refused:
        # kubectl's own validation would end at the first field that is missing.
        api("create", "--dry-run=server", "--validate=false", "-f", "-", stdin=models)
    told = dict(re.findall(r'"s(\d+)" is invalid: (.*)', str(refused.value)))
    for number, (spec, words) in enumerate(MODELS_REFUSED):
        assert words in told[str(number)], spec


@pytest.mark.api
def test_the_servers_defaults_of_models_are_those_of_the_code(api: Api) -> None:
    specs = [spec for spec, _ in MODEL_CASES.values()]
    models = listed(specs, kind=MODEL_KIND)
    told = api("create", "--dry-run=server", "-o", "yaml", "-f", "-", stdin=models)
    for spec, made in zip(specs, yaml.safe_load_all(told), strict=True):
        filled = SentimentModelSpec.model_validate(made["spec"])
        assert filled == SentimentModelSpec.model_validate(spec)


@pytest.mark.api
def test_what_is_nearly_refused_is_taken(api: Api) -> None:
    taken: list[dict[str, Any]] = [
        {"rollout": {"maxSurge": 0, "maxUnavailable": "25%"}},
        {"rollout": {"type": "ResourceAware", "maxUnavailable": "10%"}},
        {"storage": MANY, "availability": {"antiAffinity": "Required"}},
        {"models": [NAMED], "availability": {"antiAffinity": "Required"}},
        {"autoscaling": {"type": "KEDA", "targetActiveRequestsPerPod": 0}},
        {"autoscaling": TO_ZERO},
        {"autoscaling": {**TO_ZERO, "targetActiveRequestsPerPod": 0}},
        {"autoscaling": {"type": "External"}},
        {"monitoring": {"tracing": {"otlpEndpoint": "http://a:65535/v1"}}},
        {"serving": {"memorySoftLimitBytes": (1 << 30) - 1}},
        {"profile": "edge", "serving": {"memorySoftLimitBytes": (1 << 28) - 1}},
        {
            "profile": "edge",
            "model": {"modelRef": {"name": "m"}},
            "serving": {"memorySoftLimitBytes": (1 << 29) - 1},
        },
        {"profile": "edge", "resources": {"limits": {"ephemeral-storage": "1Gi"}}},
        {"resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": "1.5"}}},
        {"resources": {"requests": {"cpu": 1}, "limits": {"cpu": 2, "memory": 1 << 31}}},
        {
            "resources": {"limits": {"cpu": 2}, "extended": {"nvidia.com/gpu": 1}},
            "storage": {"size": 1 << 30},
        },
        {"access": {"networkPolicy": {"allowFrom": [{"name": "all", "namespaceLabels": {}}]}}},
    ]
    api("create", "--dry-run=server", "-f", "-", stdin=listed(taken))


@pytest.mark.api
def test_the_servers_defaults_are_those_of_the_code(api: Api) -> None:
    specs = [spec for spec, _ in CASES.values()]
    told = api("create", "--dry-run=server", "-o", "yaml", "-f", "-", stdin=listed(specs))
    for spec, made in zip(specs, yaml.safe_load_all(told), strict=True):
        filled = made["spec"]
        assert SentimentServiceSpec.model_validate(filled) == SentimentServiceSpec.model_validate(spec)
        if spec == {}:
            assert filled == spec_schema()["default"]


@pytest.mark.api
def test_kubectl_explains_every_field(api: Api) -> None:
    for kind, crd in (("ssvc", sentiment_service_crd()), ("smodel", sentiment_model_crd())):
        told = api("explain", kind, "--recursive")
        names = {path.rsplit(".", 1)[1] for path, _ in fields(version(crd))}
        assert [name for name in sorted(names) if f" {name}\t" not in told.replace("  ", " ")] == []
    assert "pinned" in api("explain", "smodel.spec.source.modelScope.revision")
    assert "43 %" in api("explain", "ssvc.spec.autoscaling.scaleDown.belowPercentOfTarget")


def known(api: Api, field: str) -> bool:
    """Whether this Kubernetes has the field; operators render none that it lacks."""
    try:
        return bool(api("explain", field))
    except KubectlError:
        return False


@pytest.mark.api
def test_golden_objects_are_accepted_by_the_real_kinds(api: Api, optional_kinds: list[str]) -> None:
    # Deployments only warn; the pods that they make are what the restricted standard admits or not.
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    meta = {"name": "shop", "labels": restricted}
    api("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    api("-n", "shop", "create", "serviceaccount", "nlp")
    wait_for("account", lambda: api("-n", "shop", "get", "serviceaccount", "default", "--ignore-not-found"))
    api("create", "priorityclass", "high", "--value=1000")
    golden = ROOT / "tests/operator/golden"
    files = [path for path in sorted(golden.glob("*/*.yaml")) if path.name != "scaled-object.yaml"]
    items = [yaml.safe_load(path.read_text()) for path in files]
    if not known(api, "hpa.spec.behavior.scaleDown.tolerance"):
        for item in items:
            item.get("spec", {}).get("behavior", {}).get("scaleDown", {}).pop("tolerance", None)
    made = {"apiVersion": "v1", "kind": "List", "items": items}
    told = api("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=made)
    assert told.count("serverside-applied (server dry run)") == len(files)
    assert optional_kinds
    for path in sorted(golden.glob("*/deployment.yaml")):
        template = yaml.safe_load(path.read_text())["spec"]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = {**template["metadata"], "name": "reviews-1", "namespace": "shop"}
        api("create", "--dry-run=server", "-f", "-", stdin=pod)
    for path in sorted(golden.glob("*/job.yaml")):
        template = yaml.safe_load(path.read_text())["spec"]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = {**template["metadata"], "name": "reviews-2", "namespace": "shop"}
        api("create", "--dry-run=server", "-f", "-", stdin=pod)


@pytest.mark.api
def test_scaling_by_kubectl(api: Api, namespace: str) -> None:
    here = ("-n", namespace)
    api(*here, "apply", "-f", "-", stdin=manifest(replicas=1))
    api(*here, "scale", "ssvc", "reviews", "--replicas=3")
    assert api.get(*here, "ssvc", "reviews")["spec"]["replicas"] == 3
    # GitOps: a model is added to what the defaults filled in.
    api(*here, "apply", "-f", "-", stdin=manifest(model={"modelRef": {"name": "x"}}, autoscaling=HPA))
    with pytest.raises(KubectlError, match="remove replicas, or set"):
        api(*here, "scale", "ssvc", "reviews", "--replicas=3")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_messages_of_the_rules_name_the_field_by_its_path(kind: str) -> None:
    schema, _ = SCHEMAS[kind]
    assert [message for message in messages(schema) if not message.startswith("spec.")] == []


@pytest.mark.api
@pytest.mark.parametrize(
    "sample", sorted((ROOT / "manifests/samples").rglob("*.yaml")), ids=lambda path: path.name
)
def test_each_sample_is_taken(api: Api, namespace: str, sample: Path) -> None:
    api("-n", namespace, "apply", "--server-side", "--dry-run=server", "-f", str(sample))
