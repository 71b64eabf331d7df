"""The faults: how each is put in, and what a person must do for the service to be whole again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.reliability import clock
from bench.reliability.hands import ENGINE, SERVER
from bench.reliability.timeline import right_since
from bench.reliability.world import NAMESPACE, ONE, TWO, World
from e2e.demo import OPERATOR_NAMESPACE
from e2e.load import Outcome
from e2e.wait import wait_for

Act = Callable[[World, str, Outcome], float]


@dataclass(frozen=True)
class Fault:
    """Put into a service under load.

    `act(world, service, outcome)` returns the time of the fault; when it needs to wait for something, the
    load goes on meanwhile.
    """

    name: str
    what: str
    how: str
    services: tuple[str, ...]
    act: Act
    mend: Callable[[World, str], None] | None = None
    """What a person does when the service does not heal by itself."""
    mending: str = ""
    by_address: bool = False
    """The callers know the service's address."""
    for_good: bool = False
    """A pod stays away: right answers are all that can be waited for."""


def _signal(words: str, name: str) -> Act:
    """Send a signal to a process of the service's pod."""

    def act(world: World, service: str, _: Outcome) -> float:
        return float(world.on_node(world.pod(service), _SIGNAL, words, name))

    return act


_SIGNAL = """
[process] = find(*sys.argv[1:3])
print(time.time())
os.kill(process, signal.Signals[sys.argv[3]])
"""


def _kill_pod(world: World, service: str, _: Outcome) -> float:
    pod = world.pod(service)["metadata"]["name"]
    at = time.time()
    world.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
    return at


def _out_of_memory(world: World, service: str, _: Outcome) -> float:
    """The kernel kills the engine, whose turn it is first."""
    pod = world.pod(service)
    world.on_node(pod, _FIRST, ENGINE)
    return float(world.in_pod(pod, _HOG, ENGINE))


_FIRST = """
[process] = find(*sys.argv[1:3])
open(f"/proc/{process}/oom_score_adj", "w").write("1000")
"""

# Many small ones: the engine must be the one that the kernel chooses.
_HOG = """
import os, signal, sys, time
def engines():
    found = set()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            line = open(f"/proc/{name}/cmdline").read().replace(chr(0), " ")
        except OSError:
            continue
        if "-m " + sys.argv[1] in line:
            found.add(name)
    return found
[victim], small = engines(), []
while victim in engines():
    grown, growing = os.pipe()
    child = os.fork()
    if child == 0:
        held = []
        for _ in range(64):  # slowly: what is killed needs a while to be gone
            held.append(b"x" * (256 << 10))
            time.sleep(0.005)
        os.write(growing, b".")
        signal.pause()
    small.append(child)
    os.close(growing)
    os.read(grown, 1)
print(time.time())
for child in small:
    os.kill(child, signal.SIGKILL)
"""


def _leak(world: World, service: str, _: Outcome) -> float:
    """Every new engine grows by 20 MB a second, until the service has ended two of them."""
    pod = world.pod(service)
    world.put_into_program(pod, _LEAKING)
    at = float(world.on_node(pod, _SIGNAL, ENGINE, "SIGKILL"))
    seen: set[str] = set()

    def engines() -> bool:
        seen.update(world.on_node(pod, "print(*find(*sys.argv[1:3]))", ENGINE).split())
        return len(seen) >= 3

    wait_for("two engines ended", engines, 180)
    world.put_into_program(pod, "")
    world.on_node(pod, "for one in find(*sys.argv[1:3]): os.kill(one, signal.SIGKILL)", ENGINE)
    return at


_LEAKING = f"""
import sys, threading, time
def leak():
    held = []
    while True:
        time.sleep(0.05)
        held.append(b"x" * 1_000_000)
if {ENGINE!r} in " ".join(sys.orig_argv):
    threading.Thread(target=leak, daemon=True).start()
"""


def _answer_nan(world: World, service: str, outcome: Outcome) -> float:
    """An engine whose numbers turn into NaN when it is told so; the next one is sound again."""
    pod = world.pod(service)
    world.put_into_program(pod, _NAN)
    killed = float(world.on_node(pod, _SIGNAL, ENGINE, "SIGKILL"))
    wait_for("another engine", lambda: right_since(outcome.requests, killed, 20), 60)
    world.put_into_program(pod, "")
    return float(world.in_pod(pod, "import time; print(time.time()); open('/tmp/nan', 'w').close()"))


_NAN = f"""
import os, sys, threading, time
def turn():
    while not os.path.exists("/tmp/nan"):
        time.sleep(0.01)
    import __main__
    sound = __main__.infer
    __main__.infer = lambda *run: sound(*run) * float("nan")
if {ENGINE!r} in " ".join(sys.orig_argv):
    threading.Thread(target=turn, daemon=True).start()
"""


def _fill_tmp(world: World, service: str, _: Outcome) -> float:
    at = float(world.in_pod(world.pod(service), _FILL))
    # The kubelet looks every now and then.
    wait_for("the pod to be evicted", lambda: not world.whole(service), 180)
    return at


_FILL = """
import time
print(time.time())
with open("/tmp/full", "wb") as file:
    for _ in range(80):
        file.write(b"x" * (1 << 20))
"""


def _lose_volume(world: World, service: str, outcome: Outcome) -> float:
    """The mount goes; then the engine, which can't load the model again."""
    pod = world.pod(service)
    at = float(world.on_node(pod, _UNMOUNT, SERVER))
    wait_for("answers without the volume", lambda: outcome.requests[-1].begin > at + 2)
    world.on_node(pod, _SIGNAL, ENGINE, "SIGKILL")
    wait_for("a pod that is not ready", lambda: not world.whole(service), 60)
    return at


# The image has no programs for it: into the container's mount namespace, and umount2 with MNT_DETACH.
_UNMOUNT = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
[process] = find(*sys.argv[1:3])
print(time.time())
with open(f"/proc/{process}/ns/mnt") as namespace:
    if libc.setns(namespace.fileno(), 0x20000) or libc.umount2(b"/models", 2):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


def _replace_pod(world: World, service: str) -> None:
    for pod in world.pods(service):
        if not any(one["ready"] for one in pod["status"].get("containerStatuses", ())):
            world.kubectl("delete", "pod", pod["metadata"]["name"])


def _kill_dns(world: World, _: str, __: Outcome) -> float:
    at = time.time()
    pods = ["delete", "pods", "-l", "k8s-app=kube-dns", "--grace-period=0", "--force"]
    world.cluster.kubectl("-n", "kube-system", *pods)
    _rolled_out(world, "kube-system", "coredns")
    return at


def _stop_dns(world: World, _: str, outcome: Outcome) -> float:
    at = time.time()
    scale = ["-n", "kube-system", "scale", "deployment/coredns"]
    world.cluster.kubectl(*scale, "--replicas=0")
    wait_for("20 s without DNS", lambda: outcome.requests[-1].begin > at + 20)
    world.cluster.kubectl(*scale, "--replicas=1")
    _rolled_out(world, "kube-system", "coredns")
    return at


def _kill_operator(world: World, service: str, _: Outcome) -> float:
    """Kill both of them, and ask for a change that one of the next must make."""
    at = time.time()
    pods = ["delete", "pods", "--all", "--grace-period=0", "--force"]
    world.cluster.kubectl("-n", OPERATOR_NAMESPACE, *pods)
    mark = str(at)
    world.apply(service, access={"service": {"annotations": {"mark": mark}}})

    def marked() -> bool:
        made = world.cluster.get("-n", NAMESPACE, "service", service)["metadata"]
        return bool(made.get("annotations", {}).get("mark") == mark)

    wait_for("the change", marked, 180)
    _rolled_out(world, OPERATOR_NAMESPACE, "sentiment-operator")
    return at


def _rolled_out(world: World, namespace: str, deployment: str) -> None:
    world.cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{deployment}", "--timeout=120s")


def _roll_out_badly(world: World, service: str, outcome: Outcome) -> float:
    """A version whose model can't be loaded: the image has no torch."""
    at = time.time()
    world.apply(service, serving={"warmUp": True, "engine": "torch"})
    wait_for("a pod that does not become ready", lambda: not world.whole(service), 60)
    wait_for("30 s of it", lambda: outcome.requests[-1].begin > at + 30)
    return at


def _roll_back(world: World, service: str) -> None:
    world.apply(service)


def _stop_kubelet(world: World, service: str, _: Outcome) -> float:
    """For 75 s: after 40 to 50 s the node counts as not ready."""
    pod = world.pod(service)
    node = pod["spec"]["nodeName"]
    at = float(world.on_node(pod, _STOP_KUBELET))

    def ready(wanted: str) -> Callable[[], bool]:
        def probe() -> bool:
            found = world.cluster.get("node", node)["status"]["conditions"]
            return any(one["type"] == "Ready" and one["status"] == wanted for one in found)

        return probe

    wait_for("a node that is not ready", ready("Unknown"), 90)
    wait_for("the node again", ready("True"), 120)
    return at


# Detached, since what runs through the kubelet ends with it.
_STOP_KUBELET = """
[kubelet] = [one for one in find("", "kubelet") if open(f"/proc/{one}/comm").read().strip() == "kubelet"]
print(time.time() + 1, flush=True)
if os.fork() == 0:
    os.setsid()
    for number in range(3):
        os.close(number)
    time.sleep(1)
    os.kill(kubelet, signal.SIGSTOP)
    time.sleep(75)
    os.kill(kubelet, signal.SIGCONT)
"""


def _kill_node(world: World, _: str, __: Outcome) -> float:
    """The embedded cluster's second node: all its processes end with its first one."""
    return float(world.hands.run("node1", _KILL_NODE, f"-m e2e.cluster.node {world.cluster.name} 2 "))


_KILL_NODE = """
[process] = [one for one in find("", sys.argv[1]) if open(f"/proc/{one}/comm").read().startswith("python")]
print(time.time())
os.kill(process, signal.SIGKILL)
"""

FAULTS = (
    Fault("engine-killed", "the engine's process dies", "`kill -9`", (ONE, TWO), _signal(ENGINE, "SIGKILL")),
    Fault("server-killed", "the server's process dies", "`kill -9`", (ONE, TWO), _signal(SERVER, "SIGKILL")),
    Fault("pod-killed", "a pod dies", "`kubectl delete pod --grace-period=0 --force`", (ONE, TWO), _kill_pod),
    Fault(
        "engine-hung",
        "an inference hangs",
        "`kill -STOP` of the engine",
        (ONE, TWO),
        _signal(ENGINE, "SIGSTOP"),
    ),
    Fault(
        "engine-nan",
        "the engine answers NaN",
        "the engine's program made to turn its numbers into NaN",
        (ONE,),
        _answer_nan,
    ),
    Fault(
        "server-hung", "the server hangs", "`kill -STOP` of the server", (TWO,), _signal(SERVER, "SIGSTOP")
    ),
    Fault(
        "leak",
        "memory grows towards the limit",
        "the engine's program made to keep 20 MB a second, until two engines are ended",
        (ONE, TWO),
        _leak,
    ),
    Fault(
        "oom",
        "the kernel kills for want of memory",
        "a process in the container takes all there is, the engine's `oom_score_adj` at 1000",
        (ONE, TWO),
        _out_of_memory,
    ),
    Fault("tmp-full", "`/tmp` is full", "80 MiB written, of 64 MiB", (ONE, TWO), _fill_tmp),
    Fault(
        "volume-lost",
        "the model's volume goes",
        "`umount --lazy /models` in the container, then `kill -9` of the engine",
        (TWO,),
        _lose_volume,
        _replace_pod,
        "`kubectl delete pod`",
    ),
    Fault("dns-killed", "CoreDNS dies", "`kubectl delete pod --grace-period=0 --force`", (TWO,), _kill_dns),
    Fault(
        "dns-down",
        "no DNS for 20 s",
        "CoreDNS scaled to 0; callers know the address",
        (TWO,),
        _stop_dns,
        by_address=True,
    ),
    Fault(
        "operator-killed",
        "the operator dies",
        "both pods, `--grace-period=0 --force`",
        (TWO,),
        _kill_operator,
    ),
    Fault(
        "rollout-bad",
        "a version that can't load its model",
        "`serving.engine: torch` without torch in the image",
        (TWO,),
        _roll_out_badly,
        _roll_back,
        "the last good spec",
    ),
    Fault(
        "node-not-ready", "a node is not ready", "`kill -STOP` of its kubelet for 75 s", (TWO,), _stop_kubelet
    ),
    Fault(
        "clock-jump",
        "a pod's clock jumps",
        "an hour on, and 10 s later back (libfaketime)",
        (ONE, TWO),
        clock.jump,
        _roll_back,
        "the pods without libfaketime",
    ),
    # The last one: the cluster has no second node after it.
    Fault(
        "node-killed", "a node dies", "`kill -9` of all that runs on it", (TWO,), _kill_node, for_good=True
    ),
)
