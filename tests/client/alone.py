"""`python -m tests.client.alone SCRIPT` in a network of its own: the service on port 7860, and the script.

What people copy says http://localhost:7860, and that port may be taken on the machine that runs the tests.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from sentiment_service.settings import BUNDLED_MODEL

from tests.service.running import running

_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x41
ENTER = ("unshare", "--user", "--map-root-user", "--net")


def main(script: Path) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
    with tempfile.TemporaryDirectory() as folder, running(BUNDLED_MODEL, Path(folder), port=7860):
        return subprocess.run([sys.executable, script], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
