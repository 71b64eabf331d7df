"""`make demo`: from a bare machine to an answering service, with every step shown."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from .ask import ask
from .cluster.errors import ClusterError
from .cluster.paths import REPO, ClusterPaths
from .cluster.progress import console, step
from .provider import CHART, Cluster, close_cluster, image_values, open_cluster

NAME = "demo"
OPERATOR_NAMESPACE = "sentiment-operator-system"
NAMESPACE = "default"
TEXTS = [
    "这款手机拍照效果真的很棒，电池续航也很给力！",
    "物流速度太慢了，等了一周才到",
    "客服完全不理人，差评",
    "价格实惠，性价比高",
]


def install_operator(cluster: Cluster, chart: Path = CHART, image: str = "operator") -> None:
    """Install or upgrade the operator with its chart and wait until it is ready."""
    with step("installing the operator with its chart"):
        command = ["upgrade", "--install", "sentiment-operator", str(chart)]
        namespace = [f"--namespace={OPERATOR_NAMESPACE}", "--create-namespace"]
        cluster.helm(*command, *namespace, *image_values(image), "--wait", "--timeout=180s")


def wait_ready(
    cluster: Cluster, namespace: str, name: str, update: Callable[[str], None], seconds: float = 300
) -> dict[str, Any]:
    """Wait for a SentimentService's Ready condition, showing its message meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        service = cluster.get("-n", namespace, "sentimentservice", name)
        conditions = {c["type"]: c for c in service.get("status", {}).get("conditions", [])}
        ready = conditions.get("Ready", {})
        current = service.get("status", {}).get("observedGeneration") == service["metadata"]["generation"]
        if current and ready.get("status") == "True":
            return service
        update(ready.get("message", "waiting for the operator"))
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{name} is not ready after {seconds:.0f} s: {json.dumps(conditions, indent=1)}"
            )
        time.sleep(0.5)


def demo() -> None:
    """Set all up, ask, print the answers, and leave it running."""
    start = time.monotonic()
    cluster = open_cluster(NAME)
    install_operator(cluster)
    samples = str(REPO / "manifests" / "samples")
    with step("applying manifests/samples and waiting for Ready") as update:
        cluster.kubectl("-n", NAMESPACE, "apply", "--server-side", "-f", samples)
        service = wait_ready(cluster, NAMESPACE, "reviews", update)
    url = service["status"]["url"]
    with step(f"asking {url} from inside the cluster"):
        answers = ask(cluster, NAMESPACE, url, TEXTS)
    table = Table("text", "sentiment", "confidence", "ms")
    for answer in answers:
        data = answer["data"]
        label = f"{data['sentiment']} {data['english_label']}"
        table.add_row(data["text"], label, f"{data['confidence']:.2%}", str(data["analysis_time_ms"]))
    console.print(table)
    print(cluster.kubectl("-n", NAMESPACE, "get", "sentimentservice", "-o", "wide"))
    print(json.dumps(answers[0], ensure_ascii=False, indent=2))
    prefix = ""
    if cluster.kind == "embedded":
        paths = ClusterPaths(NAME)
        prefix = f"  export KUBECONFIG={paths.kubeconfig} PATH={paths.root / 'bin'}:$PATH\n"
    console.print(
        f"\nReady after {time.monotonic() - start:.0f} s. In the cluster: {url}\nWhat to try next:\n{prefix}"
        "  kubectl port-forward service/reviews 7860   # then open http://localhost:7860/\n"
        "  kubectl describe sentimentservice reviews\n"
        "  kubectl scale sentimentservice reviews --replicas=2\n"
        "  kubectl delete service reviews              # and see it come back\n"
        "  make demo-down                              # ends all of it",
        markup=False,
        soft_wrap=True,
    )


def main() -> int:
    """`up` (the default) or `down`."""
    try:
        if sys.argv[1:] == ["down"]:
            close_cluster(NAME)
        else:
            demo()
    except ClusterError as error:
        console.print("[red]error:[/red]", end=" ")
        console.print(str(error), markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
