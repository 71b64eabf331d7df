"""A Prometheus without its operator, set up as docs/how-to/monitoring.md says: it follows the annotations of
the operator's pods, and its rules are those that the plug-in prints.

The API server here has no nodes: a service that runs beside it stands where the pod's status says.
"""

import itertools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from sentiment_operator.render.service import PORT

from e2e.alerting import Prometheus
from e2e.dashboards import fleet
from tests.service.running import ANALYZE, running
from tests.service.tiny_model import write_package

from .conftest import ROOT, Api, Operator, wait_for
from .own_prometheus import own_prometheus
from .steps import apply, manifest

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

pytestmark = pytest.mark.api

PLUGIN = Path(sys.executable).with_name("kubectl-sentiment")
# Nobody else's: the pods' port is always the same.
ADDRESS = "127.78.60.1"
_SCRAPED = {"scrapeAnnotations": True, "dashboard": {}}
_QUICK = {"scrape_interval": "1s", "evaluation_interval": "1s"}


@pytest.mark.usefixtures("operator")
def test_annotations_and_printed_rules_are_enough(
    api: Api, control_plane: "ClusterPaths", namespace: str, tmp_path: Path
) -> None:
    apply(api, namespace, monitoring=_SCRAPED)
    wait_for("pods", lambda: api("-n", namespace, "get", "pods", "-o", "name").split())
    for pod in api.get("-n", namespace, "pods")["items"]:
        _begin(api, namespace, pod["metadata"]["name"])
    rules = tmp_path / "rules.yaml"
    rules.write_text(_printed_rules(namespace))
    config = _shown_config(namespace, control_plane.kubeconfig, rules)
    with (
        running(write_package(tmp_path / "tiny"), tmp_path, host=ADDRESS, port=PORT, warm_up=True),
        own_prometheus(config, tmp_path) as prometheus,
    ):
        wait_for("targets that are up", prometheus.targets_up(namespace), 60)
        [dashboard] = api.get("-n", namespace, "configmap", "reviews-dashboard")["data"].values()
        for title, query in _queries(dashboard):
            # The pods' CPU comes from the kubelet.
            if title != "CPU":
                wait_for(f"data in {title}", partial(_data, prometheus, query), 60)
        buckets = f'structbert_request_latency_seconds_bucket{{namespace="{namespace}"}}'
        wait_for("an exemplar", lambda: {"request_id": "mine"} in prometheus.exemplars(buckets))
        recorded = f'sentimentservice:request_failures:ratio_rate5m{{namespace="{namespace}"}}'
        wait_for("what a rule records", partial(_data, prometheus, recorded), 90)
        assert set(_rules(prometheus, "health")) <= {"ok", "unknown"}, "one is evaluated every five minutes"
        names = [name for name in _rules(prometheus, "name") if name.startswith("SentimentService")]
        assert len(set(names)) >= 6


def test_every_panel_of_the_fleets_dashboard_has_data(
    api: Api, operator: Operator, namespace: str, tmp_path: Path
) -> None:
    apply(api, namespace)
    jobs = [
        _job("sentiment-operator", f"127.0.0.1:{operator.port}", pod="here"),
        _job("reviews", f"{ADDRESS}:{PORT}", pod="reviews-7d9f4b5c6-x2x9k", namespace=namespace),
    ]
    changes = itertools.count()

    def changed_and_asked(prometheus: Prometheus, query: str) -> list[dict[str, Any]]:
        """An operator with nothing to do makes no pass, and a quantile of none has no value."""
        api("-n", namespace, "label", "sentimentservice", "reviews", f"change={next(changes)}", "--overwrite")
        return _data(prometheus, query)

    with (
        running(write_package(tmp_path / "tiny"), tmp_path, host=ADDRESS, port=PORT, warm_up=True),
        own_prometheus({"global": _QUICK, "scrape_configs": jobs}, tmp_path) as prometheus,
    ):
        for title, query in _queries(fleet.FILE.read_text()):
            wait_for(f"data in {title}", partial(changed_and_asked, prometheus, query), 60)
        [sample] = prometheus.ask(fleet.requests_per_service())
        assert sample["metric"] == {"namespace": namespace, "sentimentservice": "reviews"}


def _job(name: str, address: str, **labels: str) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": [address], "labels": labels}]}


def _data(prometheus: Prometheus, query: str) -> list[dict[str, Any]]:
    """Requests go on meanwhile: without any there are no failures to have a share of."""
    named = {"X-Request-ID": "mine"}
    httpx.post(f"http://{ADDRESS}:{PORT}{ANALYZE}", json={"text": "好"}, headers=named, timeout=30)
    return prometheus.ask(query)


def _begin(api: Api, namespace: str, pod: str) -> None:
    """What a kubelet would say of a pod that runs."""
    status = {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}
    patch = json.dumps({"status": status})
    api("-n", namespace, "patch", "pod", pod, "--subresource=status", "--type=merge", f"--patch={patch}")


def _printed_rules(namespace: str) -> str:
    """What the page tells to print, with yq's part done here."""
    wanted = manifest(monitoring={**_SCRAPED, "prometheusRule": {}})
    wanted["metadata"]["namespace"] = namespace
    command = [str(PLUGIN), "render", "-"]
    said = subprocess.run(
        command, input=json.dumps(wanted), capture_output=True, text=True, check=True
    ).stdout
    [rule] = [one for one in yaml.safe_load_all(said) if one and one["kind"] == "PrometheusRule"]
    return yaml.safe_dump(rule["spec"])


def _shown_config(namespace: str, kubeconfig: Path, rules: Path) -> dict[str, Any]:
    """The page's, from outside the cluster, for this namespace alone, and quicker than by default."""
    page = (ROOT / "docs/how-to/monitoring.md").read_text()
    blocks = [yaml.safe_load(block.split("```")[0]) for block in page.split("```yaml\n")[1:]]
    [config] = [block for block in blocks if "scrape_configs" in block]
    [job] = config["scrape_configs"]
    [pods] = job["kubernetes_sd_configs"]
    pods |= {"kubeconfig_file": str(kubeconfig), "namespaces": {"names": [namespace]}}
    return {**config, "global": _QUICK, "rule_files": [str(rules)]}


def _queries(dashboard: str) -> list[tuple[str, str]]:
    """Title of the panel, query."""
    panels = json.loads(dashboard)["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]


def _rules(prometheus: Prometheus, field: str) -> list[str]:
    groups = prometheus.http.get("/api/v1/rules").json()["data"]["groups"]
    return [rule[field] for group in groups for rule in group["rules"]]
