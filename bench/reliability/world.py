"""The services that faults are put into, and a person's hands on their pods and nodes."""

from typing import Any

from bench.reliability.hands import Hands
from e2e.demo import wait_ready
from e2e.provider import Cluster
from e2e.wait import quiet

NAMESPACE = "reliability"
# On one node, and on two.
ONE, TWO = "one", "two"
_REPLICAS = {ONE: 1, TWO: 2}
# What the pods import at their start, if it is there: the place of a fault in the program itself.
FAULT_FOLDER = "/models/fault"


class World:
    """Two services, of one pod and of two, each of which may use 512 MiB."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        cluster.apply(namespace, "default")
        for name in _REPLICAS:
            self.apply(name)
        self.hands = Hands(cluster)
        for name in _REPLICAS:
            wait_ready(cluster, NAMESPACE, name, quiet)

    def kubectl(self, *arguments: str) -> str:
        """In the services' namespace."""
        return self.cluster.kubectl("-n", NAMESPACE, *arguments)

    def apply(self, name: str, **spec: Any) -> None:
        """The service as it is meant to be, or with other fields."""
        kind = {"apiVersion": "sentiment-operator.io/v1alpha1", "kind": "SentimentService"}
        given = {
            "replicas": _REPLICAS[name],
            "serving": {"warmUp": True},
            "resources": {"limits": {"memory": "512Mi"}},
            "pod": {"env": [{"name": "PYTHONPATH", "value": FAULT_FOLDER}]},
            "storage": {"accessMode": "ReadWriteMany", "storageClassName": "shared"},
        }
        self.cluster.apply({**kind, "metadata": {"name": name}, "spec": given | spec}, NAMESPACE)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The pods of a service that are not over."""
        chosen = f"app.kubernetes.io/instance={name}"
        found = self.cluster.get("-n", NAMESPACE, "pods", "-l", chosen)["items"]
        return [pod for pod in found if pod["status"]["phase"] not in ("Failed", "Succeeded")]

    def pod(self, name: str) -> dict[str, Any]:
        """The first of its pods, on the last of the nodes: the client runs on the first one."""
        return max(self.pods(name), key=lambda pod: str(pod["spec"]["nodeName"]))

    def whole(self, name: str) -> bool:
        """As many pods as wanted, all ready, none on its way out."""
        pods = self.pods(name)
        ready = [pod for pod in pods if _ready(pod) and "deletionTimestamp" not in pod["metadata"]]
        return len(pods) == len(ready) == _REPLICAS[name]

    def on_node(self, pod: dict[str, Any], script: str, *arguments: str) -> str:
        """Run a script on the pod's node; its first argument is the pod's UID."""
        return self.hands.run(pod["spec"]["nodeName"], script, pod["metadata"]["uid"], *arguments)

    def in_pod(self, pod: dict[str, Any], script: str, *arguments: str) -> str:
        """Run a script in the server's container."""
        command = ["exec", pod["metadata"]["name"], "-c", "server", "--", "/app/bin/python", "-c", script]
        return self.kubectl(*command, *arguments)

    def volume(self, pod: dict[str, Any]) -> str:
        """Where the model's volume lies on the node, as hands see it; pods can only read it."""
        name = pod["metadata"]["labels"]["app.kubernetes.io/instance"]
        claim = self.cluster.get("-n", NAMESPACE, "persistentvolumeclaim", f"{name}-models")
        volume = self.cluster.get("persistentvolume", claim["spec"]["volumeName"])["spec"]
        return "/proc/1/root" + str((volume.get("hostPath") or volume["local"])["path"])

    def put_into_program(self, pod: dict[str, Any], text: str) -> None:
        """What every Python process of the service runs at its start; nothing, without text."""
        self.on_node(pod, _WRITE, self.volume(pod) + FAULT_FOLDER.removeprefix("/models"), text)


_WRITE = """
folder, text = sys.argv[2:]
os.makedirs(folder, exist_ok=True)
path = folder + "/sitecustomize.py"
if text:
    open(path, "w").write(text)
    os.chmod(folder, 0o755)
    os.chmod(path, 0o644)
else:
    os.unlink(path)
"""


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
