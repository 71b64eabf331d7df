"""The engine's process, `python -m sentiment_service.engine.child FD [MODULE…]`: token ids in, logits out.

It knows no text, no tokeniser and no HTTP, and imports as little: its start is the cold start of the
service. When it ends, all its memory goes back to the system. It ends when its socket does.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_service.engine import frames
from sentiment_service.engine.files import engine_of, verify
from sentiment_service.engine.frames import Kind
from sentiment_service.engine.plan import usual_widths, width
from sentiment_service.engine.protocol import Engine, ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A small run at load: what loads but cannot answer is a failed load. Every vocabulary holds these ids.
PROBE = (1, 2, 3)
# After so long without a message or a run, one usual shape is made ready, then the next.
_QUIET_SECONDS = 0.05
# After so long what was only needed for a time goes back, for a millisecond or two of the next run.
_IDLE_SECONDS = 1.0


def create(kind: str, directory: Path, threads: int, precision: str = "") -> Engine:
    """The only place where an engine is made."""
    model = directory / "model.xml"
    if engine_of(kind, directory) == "torch":
        if not (directory / "config.json").is_file():
            raise ModelLoadError(f"ENGINE={kind}: {directory} holds no config.json of a checkpoint")
        from sentiment_service.engine.torch_engine import TorchEngine

        return TorchEngine(directory, threads)
    if not model.is_file():
        raise ModelLoadError(f"ENGINE={kind}: {directory} holds no model.xml; ENGINE=torch runs a checkpoint")
    from sentiment_service.engine.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(model, threads, precision)


class Child:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._engine: Engine
        self._pool: ThreadPoolExecutor
        self._directory: Path
        self._max_tokens = 0

    def serve(self) -> int:
        first = frames.receive(self._sock)
        if first is None:
            return 0
        try:
            self._load(json.loads(first[1]))
        except Exception as error:  # whatever it is, the parent is told and the process ends
            self._send(Kind.FAILED, (str(error) or type(error).__name__).encode("utf-8", "backslashreplace"))
            return 1
        parallel = self._engine.parallel
        told = {"parallel": parallel, "device": self._engine.device, "overhead": self._engine.overhead}
        self._send(Kind.LOADED, json.dumps(told).encode())
        cold = usual_widths(self._max_tokens) * parallel
        used = True
        runs: list[Future[None]] = []
        while True:
            wait = _QUIET_SECONDS if cold else _IDLE_SECONDS if used else None
            if not select.select([self._sock], [], [], wait)[0]:
                if not all(run.done() for run in runs):
                    continue
                if cold:
                    columns = cold.pop(0)
                    self._pool.submit(infer, self._engine, [range(1, columns + 1)], columns).result()
                else:
                    trim()
                    used = False
                continue
            received = frames.receive(self._sock)
            if received is None:
                # Not waiting for a run that nobody reads any more.
                os._exit(0)
            kind, payload = received
            if kind is Kind.RUN:
                used = True
                runs = [run for run in runs if not run.done()]
                runs.append(self._pool.submit(self._run, payload))
            elif kind is Kind.PING:
                self._send(Kind.PONG)
            elif kind is Kind.TRIM:
                trim()

    def _load(self, order: dict[str, Any]) -> None:
        self._directory = directory = Path(order["directory"])
        self._max_tokens = order["max_tokens"]
        with ThreadPoolExecutor(1) as pool:
            # Hashing and importing take about as long as each other, and hashing needs no GIL.
            verified = pool.submit(verify, directory, order["files"])
            self._engine = create(order["engine"], directory, order["threads"], order["precision"])
            # What a GPU's libraries set up for a thread takes memory, which others may have taken when the
            # first run comes.
            self._pool = ThreadPoolExecutor(self._engine.parallel, thread_name_prefix="infer")
            self._pool.submit(self._engine.load).result()
            verified.result()
        forget_mapped(f"{directory}/")  # before the probe has the kernels take their copies: the peak is here
        columns = min(width(len(PROBE)), self._max_tokens)
        # Alone: two first runs at once can wait for each other for ever in OpenVINO's binding. One holds
        # the GIL, the other the guard of a static.
        try:
            probed = self._pool.submit(infer, self._engine, [PROBE], columns).result()
        except Exception as error:
            raise ModelLoadError(f"the model loads but does not answer: {error}") from error
        if not all(map(_finite, probed.ravel().tolist())):
            raise ModelLoadError("the model loads but answers NaN or infinity")
        trim()

    def _run(self, payload: bytes) -> None:
        import numpy as np

        words = np.frombuffer(payload, dtype=np.uint32)
        number, rows, columns = map(int, words[:3])
        ends = np.cumsum(words[3 : 3 + rows])
        batch = np.split(words[3 + rows :], ends[:-1])
        begin = time.perf_counter()
        try:
            logits = infer(self._engine, batch, min(columns, self._max_tokens))
        except Exception as error:  # the answer to this run; the next may go well
            self._send(Kind.ERROR, frames.pack_error(number, str(error) or type(error).__name__))
            return
        seconds = time.perf_counter() - begin
        self._send(Kind.ANSWER, frames.pack_answer(number, seconds, logits.astype(np.float32).tobytes()))

    def _send(self, kind: Kind, payload: bytes = b"") -> None:
        with self._sending:
            self._sock.sendall(frames.frame(kind, payload))


def infer(engine: Engine, batch: Any, columns: int) -> NDArray[np.float32]:
    """Pad the rows of ids to so many columns, run once; shape [rows, 2]."""
    import numpy as np

    input_ids = np.zeros((len(batch), columns), dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, ids in enumerate(batch):
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    logits = engine.infer(input_ids, attention_mask)
    if logits.shape != (len(batch), 2):
        raise RuntimeError(f"the model answered shape {logits.shape}, not {(len(batch), 2)}")
    return logits


def trim() -> None:
    """Give back the allocator's free memory, by a call that only glibc has, and what can be read again."""
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)
    forget_mapped("/")


def forget_mapped(below: str) -> None:
    """Let go of the unwritten pages of files below a directory; what is needed again is read again.

    Compiling reads every weight once, and so does the first run of a size whose kernels want the weights in
    another order (on AVX2: of up to 80 tokens, and of more). The runs work on copies in that order. Of the
    libraries' code too most is run once, by importing and compiling.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with suppress(OSError):
        for begin, end in unwritten(Path("/proc/self/smaps").read_text(), below):
            libc.madvise(begin, end - begin, mmap.MADV_DONTNEED)


def unwritten(smaps: str, below: str) -> Iterator[tuple[int, int]]:
    """Begin and end of what is mapped read-only from files below a directory, by proc_pid_smaps(5).

    Not what the loader has written to before: that is nowhere else. Nor what is mapped from a device: a GPU's
    driver maps a page once, and a read after that is a fault.
    """
    begin = end = 0
    chosen = False
    is_file = cache(os.path.isfile)
    for line in smaps.splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):
            begin, end = (int(address, 16) for address in first.split("-"))
            chosen = rest[0][1] == "-" and rest[-1].startswith(below) and is_file(rest[-1])
        elif chosen and first == "Anonymous:" and rest[0] == "0":
            yield begin, end


def _finite(value: float) -> bool:
    return value - value == 0


def main() -> int:
    # Ctrl-C reaches the whole group; the parent alone decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # OpenVINO's model converter, a third of its import and 12 MB. OpenVINO does without it.
    sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
    for name in sys.argv[2:]:
        with suppress(ImportError):  # the load will tell
            importlib.import_module(name)
    return Child(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    sys.exit(main())
