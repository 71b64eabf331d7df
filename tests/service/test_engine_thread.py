"""The engine's process: everything that an engine does, it does in the threads that run it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

from sentiment_service.engine import frames
from sentiment_service.engine.frames import Kind

# An engine whose logits tell whether it runs where it was loaded.
_ENGINE = """
import socket, sys, threading
import numpy as np
from sentiment_service.engine import child

class Engine:
    parallel, device, overhead = 1, "test", 0

    def load(self):
        self.loaded_in = threading.get_ident()

    def infer(self, input_ids, attention_mask):
        same = float(threading.get_ident() == self.loaded_in)
        return np.full((len(input_ids), 2), same, dtype=np.float32)

child.create = lambda *_: Engine()
sys.exit(child.Child(socket.socket(fileno=int(sys.argv[1]))).serve())
"""


def test_a_run_needs_nothing_of_its_thread_that_loading_did_not_set_up() -> None:
    """A new thread asks a GPU for memory of its own, which others may have taken meanwhile."""
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        child = subprocess.Popen([sys.executable, "-c", _ENGINE, str(number)], pass_fds=[number])
    try:
        order = {"directory": "/", "files": {}, "engine": "", "threads": 1, "precision": "", "max_tokens": 8}
        ours.sendall(frames.frame(Kind.LOAD, json.dumps(order).encode()))
        told = frames.receive(ours)
        assert told
        assert told[0] is Kind.LOADED, told
        ours.sendall(frames.frame(Kind.RUN, frames.pack_run(7, [(1, 2, 3)], 8)))
        answer = frames.receive(ours)
        assert answer
        assert frames.unpack_answer(answer[1])[2] == [(1.0, 1.0)]
    finally:
        ours.close()
        assert child.wait(30) == 0
