"""Every kind that the operator makes: it may be written, and nothing else may."""

from pathlib import Path

import yaml
from sentiment_operator.api.kinds import CHILDREN
from sentiment_operator.api.v1alpha1 import GROUP

INSTALL = Path(__file__).parents[2] / "manifests/install/operator.yaml"


def test_the_operator_may_write_its_children_and_nothing_more() -> None:
    roles = [doc for doc in yaml.safe_load_all(INSTALL.read_text()) if doc["kind"] == "ClusterRole"]
    [role] = [role for role in roles if role["metadata"]["name"] == "sentiment-operator"]
    writable = {
        (group, resource)
        for rule in role["rules"]
        if "patch" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        # Not the Lease by which two operators agree, and the kinds' own status.
        if group not in ("coordination.k8s.io", GROUP)
    }
    assert writable == {(known.group, known.plural) for known in CHILDREN}
