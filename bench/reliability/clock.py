"""A clock that jumps under a pod: libfaketime, of Debian's package, between its processes and the kernel.

The nodes share one machine's clock, which must not be set, and the kernel has no namespace for the wall
clock.
"""

import base64
import zlib
from datetime import datetime

from bench.reliability.world import FAULT_FOLDER, World
from e2e.cluster.debian import unpacked
from e2e.load import Outcome
from e2e.wait import wait_for

JUMP_SECONDS = 3600
_LIBRARY = "libfaketimeMT.so.1"
_FILE = "/tmp/clock"  # noqa: S108 in the pod
_ENVIRONMENT = {
    "PYTHONPATH": FAULT_FOLDER,
    "LD_PRELOAD": f"{FAULT_FOLDER}/{_LIBRARY}",
    "FAKETIME_TIMESTAMP_FILE": _FILE,
    "FAKETIME_NO_CACHE": "1",
    # As with a wall clock that is set: the monotonic one goes on.
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}


def jump(world: World, service: str, outcome: Outcome) -> float:
    """Pods that can be lied to; then an hour later, and back again."""
    [library] = unpacked("libfaketime", "usr/lib").glob(f"*/faketime/{_LIBRARY}")
    pod = world.pod(service)
    packed = base64.b64encode(zlib.compress(library.read_bytes(), 9)).decode()
    world.on_node(pod, _PUT, f"{world.volume(pod)}/{FAULT_FOLDER.removeprefix('/models/')}", _LIBRARY, packed)
    world.apply(
        service, pod={"env": [{"name": name, "value": value} for name, value in _ENVIRONMENT.items()]}
    )
    wait_for("pods with another clock", lambda: _prepared(world, service) and world.whole(service), 180)
    pod = world.pod(service)
    at = float(world.in_pod(pod, _SET, _FILE, f"+{JUMP_SECONDS}"))
    told = datetime.fromisoformat(world.in_pod(pod, _ASK).strip())
    assert told.timestamp() > at + JUMP_SECONDS / 2, "the server's clock did not jump"
    wait_for("10 s of it", lambda: outcome.requests[-1].begin > at + 10)
    world.in_pod(pod, _SET, _FILE, "+0")
    wait_for("10 s more", lambda: outcome.requests[-1].begin > at + 20)
    return at


def _prepared(world: World, service: str) -> bool:
    names = [{one["name"] for one in pod["spec"]["containers"][0]["env"]} for pod in world.pods(service)]
    return all("LD_PRELOAD" in one for one in names)


_PUT = """
import base64, zlib
folder, name, packed = sys.argv[2:]
os.makedirs(folder, exist_ok=True)
os.chmod(folder, 0o755)
with open(f"{folder}/{name}", "wb") as file:
    file.write(zlib.decompress(base64.b64decode(packed)))
os.chmod(file.name, 0o755)
"""

_SET = """
import os, sys, time
print(time.time())
path, offset = sys.argv[1:]
with open(path + ".new", "w") as file:
    file.write(offset)
os.rename(path + ".new", path)
"""

_ASK = """
import json, urllib.request
print(json.load(urllib.request.urlopen("http://127.0.0.1:7860/health"))["timestamp"])
"""
