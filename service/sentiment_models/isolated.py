"""A step in a process of its own: what its libraries take goes back to the system when it ends."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from sentiment_models.faults import OutOfMemory

P = ParamSpec("P")
R = TypeVar("R")


def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The function's result; its faults come through. OutOfMemory when the kernel ended it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise OutOfMemory(f"{function.__name__} was ended from outside") from error


def peak_bytes() -> int:
    """The largest resident memory of this process or of one that it waited for."""
    return 1024 * max(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    )
