"""`kubectl-sentiment`, which kubectl runs as `kubectl sentiment`."""

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from . import alerts, bench, screens, traffic
from .explain import ready, troubles
from .kube import Kube, KubeError, Manifest, proxied
from .logs import readable
from .offline import FileError, children_of
from .reasons import reasons

KEY_VARIABLE = "SENTIMENT_API_KEY"
_BATCH = "api/v1/sentiment/analyze/batch"
_BATCH_ITEMS = 100
_NARROW = 120

EPILOG = f"""examples:
  kubectl sentiment status reviews
  kubectl sentiment explain reviews              why it isn't ready, and what to do
  kubectl sentiment explain smodel/structbert    the same of a SentimentModel
  kubectl sentiment analyze reviews 物流太慢了 "服务很好"
  sort -u texts.txt | kubectl sentiment analyze reviews
  kubectl sentiment render service.yaml | kubectl diff -f -

A service with API keys is asked with the key in {KEY_VARIABLE}. Everything goes through kubectl: its
contexts, credential plug-ins and proxies count."""


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The command line, and that of each command."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("-n", "--namespace", help="default: the context's")
    shared.add_argument("--context", help="of the kubeconfig")
    shared.add_argument("--kubeconfig", metavar="FILE", help="default: KUBECONFIG, or ~/.kube/config")
    root = argparse.ArgumentParser(
        prog="kubectl sentiment",
        description="Look at SentimentServices and SentimentModels, and ask them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, about: str, target: str = "NAME") -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=f"{about.capitalize()}.", parents=[shared])
        if target:
            made.add_argument("name", metavar=target)
        named[name] = made
        return made

    named: dict[str, argparse.ArgumentParser] = {}

    command("status", "show everything about a service on one screen", "NAME|smodel/NAME")
    command("explain", "say why it isn't ready and what to do; exit 1 while it isn't", "NAME|smodel/NAME")
    top = command("top", "show CPU, memory and traffic of each pod")
    top.add_argument("--seconds", type=float, default=3, help="over which rates are taken (default: 3)")
    logs = command("logs", "show the logs of all pods, readably", "NAME|smodel/NAME")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they are written")
    logs.add_argument(
        "--tail", type=int, default=100, metavar="N", help="last lines of each pod (default: 100)"
    )
    logs.add_argument("--raw", action="store_true", help="as they are written: JSON, one object a line")
    analyze = command("analyze", "judge texts by a service")
    analyze.add_argument("texts", nargs="*", metavar="TEXT", help="default: the lines of standard input")
    analyze.add_argument("--model", metavar="MODEL", help="one of spec.models; default: the first")
    measure = command("bench", "ask a service for some seconds and show how quick it is")
    measure.add_argument("--seconds", type=float, default=10, help="(default: 10)")
    measure.add_argument("--callers", type=int, default=8, help="at the same time (default: 8)")
    render = command("render", "show what the operator would make of a file, without a cluster", "")
    render.add_argument("file", metavar="FILE", help="YAML with services and models; `-`: standard input")
    render.add_argument(
        "--service-image",
        default=os.environ.get("SERVICE_IMAGE", "sentiment-operator/service"),
        help="of services that name none (SERVICE_IMAGE)",
    )
    render.add_argument(
        "--model-image",
        default=os.environ.get("MODEL_IMAGE", "sentiment-operator/models"),
        help="of models that name none (MODEL_IMAGE)",
    )
    return root, named


def main(given: list[str] | None = None) -> int:
    """0 when all is well; 1 with a sentence, or for `explain`, when something isn't."""
    options = parsers()[0].parse_args(given)
    try:
        return int(_COMMANDS[options.command](options, _kube(options)))
    except (KubeError, FileError) as error:
        print(f"kubectl sentiment: {error}", file=sys.stderr)
    except OSError as error:
        print(f"kubectl sentiment: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _kube(options: argparse.Namespace) -> Kube:
    flags = [f"--{name}={value}" for name in ("context", "kubeconfig") if (value := getattr(options, name))]
    return Kube(flags, options.namespace)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:  # for a file or a pipe nothing is cut
        console.width = _NARROW
    return console


def _status(options: argparse.Namespace, kube: Kube) -> int:
    target, console, now = kube.target(options.name), _console(), datetime.now(UTC)
    with kube.connect() as api:
        obj, pods = api.custom(target), api.pods(target)
        console.print(screens.headline(target, obj))
        console.print(screens.facts(obj))
        console.print()
        console.print(screens.conditions(obj, now))
        console.print()
        console.print(screens.pods(pods, now))
        if target.plural == "sentimentservices":
            console.print()
            seen = [one for pod in pods if (one := traffic.of_pod(api, target, pod["metadata"]["name"]))]
            console.print(screens.traffic(sum(seen, traffic.Traffic()) if seen else None))
            console.print(screens.alerts(alerts.firing(api, target)))
    if not ready(obj):
        console.print(Text(f"\nkubectl sentiment explain {options.name} says what to do."))
    return 0


def _explain(options: argparse.Namespace, kube: Kube) -> int:
    target, console = kube.target(options.name), _console()
    with kube.connect() as api:
        obj = api.custom(target)
        found = troubles(obj, api.pods(target), reasons())
    console.print(screens.headline(target, obj))
    console.print(screens.explanation(found))
    return 0 if ready(obj) else 1


def _top(options: argparse.Namespace, kube: Kube) -> int:
    target = kube.target(options.name)
    with kube.connect() as api:
        names = [pod["metadata"]["name"] for pod in api.pods(target)]
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{target.namespace}/pods"
        measured = api.find(path, labelSelector=target.selector) or {"items": []}
        used = {one["metadata"]["name"]: one["containers"] for one in measured["items"]}
        before = {name: traffic.of_pod(api, target, name) for name in names}
        time.sleep(options.seconds)
        rows = []
        for name in names:
            then, now = before[name], traffic.of_pod(api, target, name)
            rows.append((name, *screens.used(used.get(name, ())), now.since(then) if now and then else None))
    _console().print(screens.usage(rows, options.seconds))
    return 0


def _logs(options: argparse.Namespace, kube: Kube) -> int:
    target = kube.target(options.name)
    flags = ["--follow"] if options.follow else []
    command = kube.command(
        "logs", "-n", target.namespace, "-l", target.selector, "--all-containers", "--prefix",
        "--max-log-requests=50", f"--tail={options.tail}", *flags,
    )  # fmt: skip
    if options.raw:
        return subprocess.run(command, check=False).returncode
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(readable(line.rstrip("\n")), flush=True)
    return process.returncode


def _analyze(options: argparse.Namespace, kube: Kube) -> int:
    target = kube.target(options.name)
    texts = options.texts or [line.rstrip("\r\n") for line in sys.stdin]
    failed = 0
    with kube.connect() as api:
        for at in range(0, len(texts), _BATCH_ITEMS):
            body = {"texts": texts[at : at + _BATCH_ITEMS], "model": options.model}
            for item in api.post(proxied(target, _BATCH), body, _key())["data"]:
                error = item.get("error")
                failed += error is not None
                head = f"{item['sentiment']}  {item['confidence']:7.1%}" if not error else "－－         "
                print(f"{head}  {item['text']}{'  (' + error['message'] + ')' if error else ''}")
    return min(failed, 1)


def _bench(options: argparse.Namespace, kube: Kube) -> int:
    target = kube.target(options.name)
    with kube.connect() as api:
        names = [pod["metadata"]["name"] for pod in api.pods(target)]
        before = [traffic.of_pod(api, target, name) for name in names]
        load = bench.Load(api, target, _key())
        load.run(options.callers, options.seconds)
        after = [traffic.of_pod(api, target, name) for name in names]
    pairs = [now.since(then) for now, then in zip(after, before, strict=True) if now and then]
    bench.report(load, options.seconds, sum(pairs, traffic.Traffic()) if pairs else None, print)
    return 0 if load.milliseconds and not load.failures else 1


def _render(options: argparse.Namespace, kube: Kube) -> int:
    text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text("utf-8")
    made: list[Manifest] = list(
        children_of(text, kube.namespace or "default", options.service_image, options.model_image)
    )
    yaml.safe_dump_all(made, sys.stdout, sort_keys=False, allow_unicode=True, width=110)
    return 0


def _key() -> dict[str, str]:
    """Not as Authorization, which the API server keeps for itself."""
    key = os.environ.get(KEY_VARIABLE)
    return {"X-API-Key": key} if key else {}


_COMMANDS = {
    "status": _status,
    "explain": _explain,
    "top": _top,
    "logs": _logs,
    "analyze": _analyze,
    "bench": _bench,
    "render": _render,
}
