"""Every kind that the operator makes: it may be written, and nothing else may."""

from pathlib import Path

import yaml
from sentiment_operator.api.kinds import CHILDREN

INSTALL = Path(__file__).parents[2] / "manifests/install/operator.yaml"


def test_the_operator_may_write_its_children_and_nothing_more() -> None:
    roles = [doc for doc in yaml.safe_load_all(INSTALL.read_text()) if doc["kind"] == "ClusterRole"]
    [role] = [role for role in roles if role["metadata"]["name"] == "sentiment-operator"]
    writable = {
        (group, resource)
        for rule in role["rules"]
        if "delete" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if group != "coordination.k8s.io"  # the Lease by which two operators agree
    }
    assert writable == {(known.group, known.plural) for known in CHILDREN}
