"""A step in a process of its own: what its libraries take goes back to the system when it ends."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ParamSpec, TypeVar

from sentiment_models.faults import OutOfMemory

P = ParamSpec("P")
R = TypeVar("R")
_EVERY = 0.5
# In the process of a step: where it says how far it is.
_share: Any = None


def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The function's result; its faults come through. OutOfMemory when the kernel ended it."""
    return run_long(lambda _: None, function, *args, **kwargs)


def run_long(say: Callable[[float], None], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same; `say` is told again and again the share of its work that the function has `tell`ed."""
    context = multiprocessing.get_context("spawn")
    share = context.Value("d", 0.0)
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(share,)) as pool:
        future = pool.submit(function, *args, **kwargs)
        while not wait((future,), _EVERY).done:
            say(share.value)
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise OutOfMemory(f"{function.__name__} was ended from outside") from error


def tell(share: float) -> None:
    """For a function that runs so: 0 … 1 of its work is done."""
    if _share is not None:
        _share.value = share


def _begin(share: Any) -> None:
    global _share  # the one way in which a pool hands on shared memory
    _share = share


def peak_bytes() -> int:
    """The largest resident memory of this process or of one that it waited for."""
    return 1024 * max(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    )
