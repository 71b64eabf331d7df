"""Waiting for a condition, with what was last seen in the failure."""

import time
from collections.abc import Callable


def wait_for(what: str, probe: Callable[[], object], seconds: float = 60) -> object:
    """Call probe until its result is true and return that; fail with what was expected after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {seconds:.0f} s: {what} (last: {result!r})")
        time.sleep(0.2)


def quiet(_: str) -> None:
    """No progress display in tests."""
