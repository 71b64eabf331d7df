"""`python -m e2e.cluster`: the test cluster's commands."""

import argparse
import os
import subprocess
import sys

from . import embedded, images, ingress, monitoring
from .errors import ClusterError
from .node_config import Node
from .paths import ClusterPaths
from .progress import console


def main() -> int:
    """Run one command; an error a user can mend is one sentence, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    parser.add_argument("--name", default="dev", help="which cluster (several can run side by side)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the cluster, or find it running")
    up.add_argument("--nodes", type=int, default=1, help="number of nodes (1)")
    up.add_argument("--ingress", action="store_true", help="with Traefik and the Gateway API")
    up.add_argument("--monitoring", action="store_true", help="with Prometheus, Alertmanager, their operator")
    commands.add_parser("down", help="end the cluster and remove every trace of it")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    commands.add_parser("images", help="build the product's images and load them into the cluster")
    enter = commands.add_parser("enter", help="run a command inside a node's namespaces")
    enter.add_argument("--node", type=int, default=1, help="which node (1)")
    enter.add_argument("rest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    paths = ClusterPaths(arguments.name)
    try:
        match arguments.command:
            case "up":
                embedded.up(arguments.name, arguments.nodes)
                if arguments.ingress:
                    embedded.load_images(paths, [ingress.build_image()])
                    ingress.install_ingress(embedded.kubectl(paths), ingress.OWN_IMAGE)
                if arguments.monitoring:
                    embedded.load_images(paths, monitoring.build_images())
                    monitoring.install(embedded.kubectl(paths), own_images=True)
                console.print(f"Cluster [bold]{arguments.name}[/bold] runs. To use it:")
                print(f"export KUBECONFIG={paths.kubeconfig} PATH={paths.root / 'bin'}:$PATH")
            case "down":
                embedded.down(arguments.name)
            case "kubeconfig":
                print(paths.kubeconfig)
            case "images":
                embedded.load_images(paths, images.build_images(images.PRODUCT))
            case "enter":
                command = embedded.enter(
                    Node(arguments.name, arguments.node), *(arguments.rest or [os.environ.get("SHELL", "sh")])
                )
                return subprocess.run(command, check=False).returncode
    except ClusterError as error:
        console.print(f"[red]error:[/red] {error}", markup=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
