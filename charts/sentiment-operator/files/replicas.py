"""`helm test`: asks every replica behind the headless Service whether it is ready, and whether it leads."""

import socket
import sys
import time
import urllib.request

SECONDS = 60


def ask(address: str, path: str) -> str:
    host = f"[{address}]" if ":" in address else address
    with urllib.request.urlopen(f"http://{host}:8080{path}", timeout=5) as answer:
        return str(answer.read().decode())


def look(service: str, wanted: int) -> str:
    """What is wrong; empty where nothing is."""
    found = {str(info[4][0]) for info in socket.getaddrinfo(service, 8080, type=socket.SOCK_STREAM)}
    if len(found) != wanted:
        return f"{len(found)} of {wanted} replicas are there"
    for address in found:
        ask(address, "/readyz")
    leaders = sum("\nsentiment_operator_leader 1.0" in ask(address, "/metrics") for address in found)
    return "" if leaders == 1 else f"{leaders} of {wanted} replicas lead"


def main(service: str, wanted: int) -> int:
    wrong = ""
    for _ in range(SECONDS):
        try:
            wrong = look(service, wanted)
        except OSError as error:  # a name that is not there yet, a replica that is not ready
            wrong = str(error)
        if not wrong:
            print(f"{wanted} replicas are ready, and one leads")
            return 0
        time.sleep(1)
    print(wrong)
    return 1


sys.exit(main(sys.argv[1], int(sys.argv[2])))
