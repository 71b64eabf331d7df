"""`kubectl sentiment bench`: a service asked through the API server for some seconds."""

import statistics
import threading
import time
from collections.abc import Callable

from .kube import Api, KubeError, Target, proxied
from .traffic import Traffic

ANALYZE = "api/v1/sentiment/analyze"
_TEXTS = (
    "服务态度很好，解决问题很快",
    "产品质量一般，没有宣传的那么好",
    "物流速度太慢了，等了一周才到",
    "客服完全不理人，差评",
    "价格实惠，性价比高",
)


class Load:
    """Callers that ask one after another until the time is over."""

    def __init__(self, api: Api, target: Target, headers: dict[str, str]) -> None:
        self._api = api
        self._path = proxied(target, ANALYZE)
        self._headers = headers
        self._lock = threading.Lock()
        self.milliseconds: list[float] = []
        self.failures: list[str] = []

    def run(self, callers: int, seconds: float) -> None:
        """Returns when every caller has its last answer."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._ask, args=(number, end)) for number in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, caller: int, end: float) -> None:
        count = 0
        while time.monotonic() < end:
            # All different, so that none is answered as a repeat of another.
            text = f"{_TEXTS[count % len(_TEXTS)]}（{caller}-{count}）"
            begin = time.perf_counter()
            try:
                self._api.post(self._path, {"text": text}, self._headers)
            except KubeError as error:
                with self._lock:
                    self.failures.append(str(error))
                time.sleep(0.1)
            else:
                with self._lock:
                    self.milliseconds.append((time.perf_counter() - begin) * 1000)
            count += 1


def report(load: Load, seconds: float, inside: Traffic | None, show: Callable[[str], object]) -> None:
    """What callers saw, and what of it the service itself took."""
    if len(load.milliseconds) > 1:
        cuts = statistics.quantiles(load.milliseconds, n=100, method="inclusive")
        show(f"{len(load.milliseconds) / seconds:.0f} answers/s through the API server: "
             f"median {cuts[49]:.0f} ms, 95 % {cuts[94]:.0f} ms, 99 % {cuts[98]:.0f} ms")  # fmt: skip
    if inside is not None and inside.timed:
        show(f"of which inside the service: {inside.average_ms:.0f} ms on average")
    if load.failures:
        show(f"{len(load.failures)} failed, the first: {load.failures[0]}")
