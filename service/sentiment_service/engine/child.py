"""The engine's process, `python -m sentiment_service.engine.child FD`: token ids in, logits out.

It knows no text, no tokeniser and no HTTP, and imports as little: its start is the cold start of the
service. When it ends, all its memory goes back to the system. It ends when its socket does.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_service.engine import frames
from sentiment_service.engine.files import verify
from sentiment_service.engine.frames import Kind
from sentiment_service.engine.protocol import Engine, ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A small run at load: what loads but cannot answer is a failed load. Every vocabulary holds these ids.
PROBE = (1, 2, 3)


def create(kind: str, directory: Path, threads: int) -> Engine:
    """The only place where an engine is chosen. auto: OpenVINO for an IR, torch for a checkpoint alone."""
    model = directory / "model.xml"
    if kind == "torch" or (kind == "auto" and not model.is_file()):
        if not (directory / "config.json").is_file():
            raise ModelLoadError(f"ENGINE={kind}: {directory} holds no config.json of a checkpoint")
        from sentiment_service.engine.torch_engine import TorchEngine

        return TorchEngine(directory, threads)
    if not model.is_file():
        raise ModelLoadError(f"ENGINE={kind}: {directory} holds no model.xml; ENGINE=torch runs a checkpoint")
    from sentiment_service.engine.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(model, threads)


class Child:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()

    def serve(self) -> int:
        first = frames.receive(self._sock)
        if first is None:
            return 0
        try:
            engine = self._load(json.loads(first[1]))
        except Exception as error:  # whatever it is, the parent is told and the process ends
            self._send(Kind.FAILED, (str(error) or type(error).__name__).encode("utf-8", "backslashreplace"))
            return 1
        self._send(Kind.LOADED, json.dumps({"parallel": engine.parallel}).encode())
        with ThreadPoolExecutor(engine.parallel, thread_name_prefix="infer") as pool:
            while (received := frames.receive(self._sock)) is not None:
                kind, payload = received
                if kind is Kind.RUN:
                    pool.submit(self._run, engine, payload)
                elif kind is Kind.PING:
                    self._send(Kind.PONG)
                elif kind is Kind.TRIM:
                    trim()
            # Not waiting for a run that nobody reads any more.
            os._exit(0)

    def _load(self, order: dict[str, Any]) -> Engine:
        directory = Path(order["directory"])
        with ThreadPoolExecutor(1) as pool:
            # Hashing and importing take about as long as each other, and hashing needs no GIL.
            verified = pool.submit(verify, directory, order["files"])
            engine = create(order["engine"], directory, order["threads"])
            engine.load()
            verified.result()
        try:
            probed = infer(engine, [PROBE])
        except Exception as error:
            raise ModelLoadError(f"the model loads but does not answer: {error}") from error
        if not all(map(_finite, probed.ravel().tolist())):
            raise ModelLoadError("the model loads but answers NaN or infinity")
        return engine

    def _run(self, engine: Engine, payload: bytes) -> None:
        import numpy as np

        words = np.frombuffer(payload, dtype=np.uint32)
        number, rows = int(words[0]), int(words[1])
        ends = np.cumsum(words[2 : 2 + rows])
        batch = np.split(words[2 + rows :], ends[:-1])
        begin = time.perf_counter()
        try:
            logits = infer(engine, batch)
        except Exception as error:  # the answer to this run; the next may go well
            self._send(Kind.ERROR, frames.pack_error(number, str(error) or type(error).__name__))
            return
        seconds = time.perf_counter() - begin
        self._send(Kind.ANSWER, frames.pack_answer(number, seconds, logits.astype(np.float32).tobytes()))

    def _send(self, kind: Kind, payload: bytes = b"") -> None:
        with self._sending:
            self._sock.sendall(frames.frame(kind, payload))


def infer(engine: Engine, batch: Any) -> NDArray[np.float32]:
    """Pad the rows of ids to the longest of them, run once; shape [rows, 2]."""
    import numpy as np

    width = max(len(ids) for ids in batch)
    input_ids = np.zeros((len(batch), width), dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, ids in enumerate(batch):
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    logits = engine.infer(input_ids, attention_mask)
    if logits.shape != (len(batch), 2):
        raise RuntimeError(f"the model answered shape {logits.shape}, not {(len(batch), 2)}")
    return logits


def trim() -> None:
    """Give the allocator's free memory back; a call that only glibc has."""
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)


def _finite(value: float) -> bool:
    return value - value == 0


def main() -> int:
    # Ctrl-C reaches the whole group; the parent alone decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return Child(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    sys.exit(main())
