"""The client against a real service: answers, refusals, overload, a broken stream."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from sentiment_client import (
    Answer,
    AsyncSentimentClient,
    ConnectionFailedError,
    Failure,
    SentimentClient,
    ServiceError,
    analyze_frame,
)
from sentiment_client.pieces import CHARACTERS, ROWS, Piece, pieces

from tests.service.running import Running, running, wait_for
from tests.service.tiny_model import write_package

ROOT = Path(__file__).parents[2]


def _url(service: Running) -> str:
    return str(service.http.base_url)


@pytest.fixture
def client(service: Running) -> Iterator[SentimentClient]:
    with SentimentClient(_url(service)) as client:
        yield client


def test_one_text(client: SentimentClient) -> None:
    answer = client.analyze("很好")
    assert (answer.sentiment, answer.english_label, answer.truncated) == ("积极", "Positive", False)
    assert answer.confidence > 0.99
    assert answer.positive is None


def test_a_text_that_cannot_be_analysed(client: SentimentClient) -> None:
    with pytest.raises(ServiceError, match=r"the text is blank \(blank_text, HTTP 422, request req_") as told:
        client.analyze(" ")
    assert (told.value.status, told.value.code) == (422, "blank_text")


def test_a_batch_keeps_its_order_and_a_bad_text_fails_alone(client: SentimentClient) -> None:
    good, blank, broken, bad = client.analyze_batch(["好", "", "\ud800", "差"])
    assert isinstance(good, Answer)
    assert isinstance(bad, Answer)
    assert (good.sentiment, bad.sentiment) == ("积极", "消极")
    assert good.positive == good.confidence
    assert blank == Failure("", "blank_text", "the text is blank")
    assert isinstance(broken, Failure)


def test_a_stream_is_read_no_further_than_needed_and_keeps_its_order(client: SentimentClient) -> None:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for read in itertools.count(1):
            yield "好" if read % 2 else "差"

    stream = client.analyze_stream(texts())
    answers = list(itertools.islice(stream, 1000))
    assert [one.sentiment for one in answers if one.ok] == ["积极", "消极"] * 500
    assert read < 1000 + 5 * ROWS
    stream.close()  # type: ignore[attr-defined]


def test_what_is_odd_in_a_stream_stays_in_its_place(client: SentimentClient) -> None:
    odd = ["好", "\ud800", "a\u2028b\x85c", "", "好" * 5000, '"\n"', "差"]
    answers = list(client.analyze_stream(odd))
    assert [one.text for one in answers] == odd
    assert [one.code for one in answers if not one.ok] == ["invalid_request", "blank_text", "text_too_long"]


def test_a_stream_outlives_the_engine(client: SentimentClient, service: Running) -> None:
    texts = [f"好{number}" if number % 3 else f"差{number}" for number in range(4000)]
    answers = []
    for answer in client.analyze_stream(texts):
        answers.append(answer)
        if len(answers) == ROWS:
            service.engine().kill()
    assert [one.text for one in answers] == texts
    assert all(one.ok for one in answers)


def test_the_same_with_asyncio(service: Running) -> None:
    async def ask() -> None:
        async with AsyncSentimentClient(_url(service)) as client:
            one, batch = await asyncio.gather(
                client.analyze("棒", model="tiny"), client.analyze_batch(["差", ""])
            )
            assert (one.sentiment, [each.ok for each in batch]) == ("积极", [True, False])
            texts = ["好", "差"] * 1000
            found = [answer async for answer in client.analyze_stream(texts)]
            assert [each.sentiment for each in found if each.ok] == ["积极", "消极"] * 1000
            async for _ in client.analyze_stream(texts):
                break
            with pytest.raises(ServiceError, match="text_too_long"):
                await client.analyze("好" * 5000)
            assert (await client.health())["status"] == "healthy"
            assert (await client.info())["model"]["name"] == "tiny"

    asyncio.run(ask())


def test_a_full_queue_is_waited_for(package: Path, tmp_path: Path) -> None:
    """While the engine stands still one text waits; the others are told to come again, and do."""
    with (
        running(package, tmp_path, warm_up=True, max_batch_items=1, queue_limit=1) as service,
        SentimentClient(_url(service), retries=20) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        wait_for("the service to be ready", service.ready)
        service.engine().suspend()
        answers = [pool.submit(client.analyze, "好" * many) for many in range(1, 7)]
        wait_for("a refusal", lambda: service.requests(429) > 0)
        service.engine().resume()
        assert all(one.result().sentiment == "积极" for one in answers)


def test_no_service_and_a_lost_one(service: Running) -> None:
    with (
        SentimentClient("http://127.0.0.1:1", retries=1) as client,
        pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:1"),
    ):
        client.analyze("好")
    with SentimentClient(f"{_url(service)}/nowhere", retries=0) as client:
        with pytest.raises(ServiceError) as told:
            client.info()
        assert (told.value.status, told.value.code) == (404, "not_found")
        with pytest.raises(ServiceError, match="not_found"):
            list(client.analyze_stream(["好"]))


def test_a_key_is_shown(package: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("ours=0123456789abcdef0123456789abcdef\n")
    with running(package, tmp_path, api_keys_file=tmp_path / "keys") as service:
        with SentimentClient(_url(service)) as client, pytest.raises(ServiceError) as told:
            client.analyze("好")
        assert told.value.status == 401
        with SentimentClient(_url(service), api_key="0123456789abcdef0123456789abcdef") as client:
            assert client.analyze("好").sentiment == "积极"


def test_one_of_several_models_is_chosen(package: Path, tmp_path: Path) -> None:
    other = write_package(tmp_path / "other", weights={"好": -9.0})
    with (
        running(package, tmp_path, models=f"usual={package},other={other}") as service,
        SentimentClient(_url(service)) as client,
    ):
        frame = analyze_frame(client, pd.DataFrame({"text": ["好"]}), model="other")
        asked = [
            client.analyze("好", model="other"),
            *client.analyze_batch(["好"], model="other"),
            *client.analyze_stream(["好"], model="other"),
        ]
        assert [one.sentiment for one in asked if one.ok] == [frame.loc[0, "sentiment"]] * 3 == ["消极"] * 3
        assert client.analyze("好").sentiment == "积极"
        with pytest.raises(ServiceError, match="there is no model 'none'"):
            list(client.analyze_stream(["好"], model="none"))


def test_a_data_frame(client: SentimentClient) -> None:
    frame = pd.DataFrame({"评论": ["好", None, "差"], "n": [1, 2, 3]}, index=[7, 8, 9])
    found = analyze_frame(client, frame, "评论")
    assert list(found.index) == [7, 8, 9]
    assert list(found.columns) == ["评论", "n", "sentiment", "confidence", "positive", "error"]
    assert found.loc[7, "sentiment"] == "积极"
    assert found.loc[8, "error"] == "the text is blank"
    assert pd.isna(found.loc[8, "sentiment"])
    assert list(frame.columns) == ["评论", "n"]


def test_only_what_has_no_answer_travels_again() -> None:
    piece = Piece(["a", "b", "c"])
    piece.body()
    piece.read(json.dumps({"id": 2, "error": {"code": "x", "message": "y"}}))
    assert piece.body() == b'{"text": "a"}\n{"text": "c"}\n'
    piece.read(json.dumps({"id": 2, "error": {"code": "z", "message": "y"}}))
    piece.read(json.dumps({"id": 1, "error": {"code": "w", "message": "y"}}))
    assert [(one.text, one.code) for one in piece.answers() if not one.ok] == [
        ("a", "w"),
        ("b", "x"),
        ("c", "z"),
    ]


def test_pieces_are_bounded() -> None:
    assert [len(piece.open) for piece in pieces(["a"] * (ROWS + 1))] == [ROWS, 1]
    assert [len(piece.open) for piece in pieces(["a" * CHARACTERS] * 3)] == [1, 1, 1]
    assert list(pieces([])) == []


def test_the_wheel_is_typed(tmp_path: Path) -> None:
    uv = subprocess.check_output([ROOT / "e2e/bootstrap.sh"], text=True).strip()
    subprocess.run(
        [uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT / "client/python"], check=True
    )
    [wheel] = tmp_path.glob("*.whl")
    assert "sentiment_client/py.typed" in zipfile.ZipFile(wheel).namelist()
