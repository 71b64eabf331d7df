import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given
from hypothesis import strategies as st
from sentiment_operator.reconcile.queue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, KeyedQueue, backoff


def run_with(
    scenario: Callable[["KeyedQueue[str]"], Awaitable[None]],
    work: Callable[[str], Awaitable[None]],
    failures: list[str] | None = None,
) -> None:
    async def main() -> None:
        def failed(key: str, _: Exception, delay: float) -> None:
            assert delay > 0
            (failures if failures is not None else []).append(key)

        queue = KeyedQueue(work, failed=failed)
        queue.resume()
        task = asyncio.create_task(queue.run())
        await asyncio.wait_for(scenario(queue), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_events_during_a_pass_become_one_more_pass() -> None:
    passes: list[str] = []
    started, go, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(key: str) -> None:
        passes.append(key)
        if len(passes) == 1:
            started.set()
            await go.wait()
        if key == "last":
            end.set()

    async def scenario(queue: "KeyedQueue[str]") -> None:
        queue.add("a")
        await started.wait()
        for _ in range(5):
            queue.add("a")
        assert passes == ["a"], "one pass per key at a time"
        queue.add("last")
        go.set()
        await end.wait()

    run_with(scenario, work)
    assert sorted(passes) == ["a", "a", "last"]


def test_one_stuck_key_does_not_hold_up_the_others() -> None:
    done = asyncio.Event()

    async def work(key: str) -> None:
        if key == "stuck":
            await asyncio.Event().wait()
        done.set()

    async def scenario(queue: "KeyedQueue[str]") -> None:
        queue.add("stuck")
        queue.add("other")
        await done.wait()

    run_with(scenario, work)


def test_what_is_asked_for_at_once_goes_first() -> None:
    """In a burst, all new services get their children before any status is written."""
    passes: list[str] = []
    done = asyncio.Event()

    async def work(key: str) -> None:
        passes.append(key)
        if len(passes) == 4:
            done.set()

    async def main() -> None:
        queue = KeyedQueue(work, failed=lambda *_: None, workers=1)
        for key in ("told a", "told b"):
            queue.add(key, 0.001)
        await asyncio.sleep(0.01)
        for key in ("new a", "new b"):
            queue.add(key)
        queue.resume()
        task = asyncio.create_task(queue.run())
        await asyncio.wait_for(done.wait(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert passes == ["new a", "new b", "told a", "told b"]


def test_a_failed_pass_is_tried_again() -> None:
    tries: list[str] = []
    failures: list[str] = []
    well = asyncio.Event()

    async def work(key: str) -> None:
        tries.append(key)
        if len(tries) < 3:
            raise ValueError("not yet")
        well.set()

    async def scenario(queue: "KeyedQueue[str]") -> None:
        queue.add("a")
        await well.wait()

    run_with(scenario, work, failures)
    assert (len(tries), failures) == (3, ["a", "a"])


def test_a_forgotten_key_has_no_pass() -> None:
    passes: list[str] = []
    done = asyncio.Event()

    async def work(key: str) -> None:
        passes.append(key)
        done.set()

    async def scenario(queue: "KeyedQueue[str]") -> None:
        queue.add("gone")
        queue.forget("gone")
        queue.add("here")
        await done.wait()

    run_with(scenario, work)
    assert passes == ["here"]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_to_a_limit(failures: int, dice: float) -> None:
    assert FIRST_RETRY_SECONDS / 2 <= backoff(failures, dice) <= LAST_RETRY_SECONDS * 1.5
    assert backoff(failures, 0.5) <= backoff(failures + 1, 0.5)


def test_cancelling_ends_it_also_while_a_key_arrives() -> None:
    """asyncio.wait_for of Python 3.11 swallows a cancellation that meets the end of what it waits for."""

    async def work(_: str) -> None:
        return

    async def main() -> None:
        for pauses in range(6):
            queue = KeyedQueue(work, failed=lambda *_: None)
            queue.resume()
            task = asyncio.create_task(queue.run())
            await asyncio.sleep(0.01)
            queue.add("a")
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=2)
            assert done, f"still running, cancelled after {pauses} turns of the loop"

    asyncio.run(main())
