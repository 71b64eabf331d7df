"""Never two writers: the election with a Lease in memory that can be made unreachable."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from sentiment_operator.cluster.http import ApiError, Http
from sentiment_operator.cluster.lease import Election, Terms

Manifest = dict[str, Any]
TERMS = Terms(lease_seconds=1, renew_seconds=0.6, retry_seconds=0.1)


class Server:
    """Keeps one Lease, with optimistic locking as the API server has it."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.version = 0
        self.changed = asyncio.Condition()

    async def write(self, verb: str, body: Manifest) -> Manifest:
        held = self.lease and self.lease["metadata"]["resourceVersion"]
        if verb == "PUT" and self.lease is None:
            raise ApiError(404, "there is none")
        if held != body["metadata"].get("resourceVersion"):
            raise ApiError(409, "changed meanwhile")
        self.version += 1
        made = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        await self.hold(made)
        return made

    async def hold(self, lease: Manifest | None) -> None:
        self.lease = lease
        async with self.changed:
            self.changed.notify_all()


class Line:
    """A candidate's way to the server; `cut`: nothing is answered. Stands in for Http."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cut = self.forbidden = False
        self.asked: Counter[str] = Counter()

    async def call(
        self, verb: str, _: str, __: str, body: Manifest | None = None, *, seconds: float
    ) -> Manifest:
        self.asked[verb] += 1
        if self.cut:
            await asyncio.sleep(min(seconds, 0.1))
            raise ApiError(0, "no answer")
        await asyncio.sleep(0.002)
        if body is not None:
            return await self.server.write(verb, body)
        if self.server.lease is None:
            raise ApiError(404, "there is none")
        return self.server.lease

    async def stream(self, _: str, __: str, query: Any, *, silence_seconds: float) -> AsyncIterator[Manifest]:
        self.asked["WATCH"] += 1
        version = dict(query)["resourceVersion"]

        def news() -> bool:
            return not self.cut and self._version() != version

        while True:
            try:
                async with asyncio.timeout(silence_seconds), self.server.changed:
                    await self.server.changed.wait_for(news)
                    if self.forbidden:
                        raise ApiError(403, "no")
            except TimeoutError:
                raise ApiError(0, "the watch broke: silence") from None
            version = self._version()
            kind = "MODIFIED" if self.server.lease else "DELETED"
            yield {"type": kind, "object": self.server.lease}

    def _version(self) -> str:
        return str(self.server.lease["metadata"]["resourceVersion"]) if self.server.lease else ""


def scene(play: Callable[[Server, list[Election], list[Line]], Awaitable[None]]) -> None:
    """Two candidates; that at most one may write is looked at all the time."""

    async def main() -> None:
        server = Server()
        lines = [Line(server), Line(server)]
        elections = [
            Election(cast(Http, line), "ns", "op", name, TERMS, lambda _: None)
            for name, line in zip("ab", lines, strict=True)
        ]
        tasks = [asyncio.create_task(election.run()) for election in elections]

        async def watch() -> None:
            while True:
                assert sum(election.may_write() for election in elections) <= 1
                await asyncio.sleep(0.003)

        watcher = asyncio.create_task(watch())
        await asyncio.wait_for(play(server, elections, lines), 20)
        assert not watcher.done(), watcher.exception()
        for task in (*tasks, watcher):
            task.cancel()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  the conditions are plain attributes
        await asyncio.sleep(0.005)


def leader(elections: list[Election]) -> int | None:
    return next((number for number, election in enumerate(elections) if election.may_write()), None)


def test_a_leader_that_is_cut_off_stops_writing_before_the_other_begins() -> None:
    async def play(_: Server, elections: list[Election], lines: list[Line]) -> None:
        await until(lambda: leader(elections) is not None)
        for _turn in range(2):
            first = leader(elections)
            assert first is not None
            lines[first].cut = True
            await until(lambda old=first: leader(elections) == 1 - old)  # type: ignore[misc]
            assert not elections[first].leading
            lines[first].cut = False

    scene(play)


def test_a_released_lease_is_taken_at_once() -> None:
    async def play(server: Server, elections: list[Election], _: list[Line]) -> None:
        await until(lambda: leader(elections) is not None)
        first = leader(elections)
        assert first is not None
        await elections[first].release()
        assert server.lease
        assert server.lease["spec"]["holderIdentity"] == ""
        await until(lambda: leader(elections) is not None)

    scene(play)


def test_who_stands_by_watches_and_asks_nothing() -> None:
    async def play(server: Server, elections: list[Election], lines: list[Line]) -> None:
        await until(lambda: all(election.holder for election in elections))
        first = leader(elections)
        assert first is not None
        version = server.version
        await until(lambda: server.version >= version + 20)
        assert lines[1 - first].asked["WATCH"] == 1
        assert lines[1 - first].asked.total() <= 4, "what it asked to find out that it is the second"

    scene(play)


def test_a_candidate_that_may_not_watch_asks_now_and_then() -> None:
    async def play(_: Server, elections: list[Election], lines: list[Line]) -> None:
        await until(lambda: leader(elections) is not None)
        first = leader(elections)
        assert first is not None
        lines[1 - first].forbidden = True
        await until(lambda: lines[1 - first].asked["WATCH"] > 1)
        lines[first].cut = True
        await until(lambda: leader(elections) == 1 - first)

    scene(play)


def test_a_deleted_lease_is_made_anew() -> None:
    async def play(server: Server, elections: list[Election], _: list[Line]) -> None:
        await until(lambda: leader(elections) is not None)
        await until(lambda: all(election.holder for election in elections))
        await server.hold(None)
        await until(lambda: server.lease is not None)
        await until(lambda: leader(elections) is not None)

    scene(play)


def test_transitions_are_counted() -> None:
    async def play(server: Server, elections: list[Election], lines: list[Line]) -> None:
        await until(lambda: leader(elections) is not None)
        assert server.lease
        assert server.lease["spec"]["leaseTransitions"] == 1
        lines[cast(int, leader(elections))].cut = True
        await until(lambda: bool(server.lease and server.lease["spec"]["leaseTransitions"] == 2))

    scene(play)
