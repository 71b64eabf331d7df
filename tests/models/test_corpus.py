"""The split: clean, fixed, and without a text on two sides."""

from __future__ import annotations

import random

from sentiment_models import corpus, everyday


def test_same_text_in_other_clothes_is_one_text() -> None:
    parts = corpus.split(["很 好！", "很好", "很好。", "ＯＫ啦"], ["差", "ok啦"])
    texts = [example.text for part in (parts.train, parts.calibration, parts.test) for example in part]
    assert sorted(corpus.key(text) for text in texts) == ["差", "很好"]
    assert parts.dropped_duplicate == 2
    assert parts.dropped_contradictory == 1


def test_no_key_is_in_two_parts_and_order_does_not_matter() -> None:
    positive = [f"第{number}条好评" for number in range(900)]
    negative = [f"第{number}条差评" for number in range(900)] + positive[:20]
    first = corpus.split(positive, negative)
    random.Random(1).shuffle(positive)
    random.Random(2).shuffle(negative)
    second = corpus.split(positive, negative)
    assert corpus.fingerprint(first) == corpus.fingerprint(second)
    keys = [{corpus.key(e.text) for e in part} for part in (first.train, first.calibration, first.test)]
    assert sum(len(part) for part in keys) == len(set().union(*keys)) == 1780
    assert 0.77 < len(keys[0]) / 1780 < 0.83


def test_the_split_never_changes() -> None:
    assert [corpus.part_of(text) for text in ("房间很大", "书不错", "电池坏了", "早餐一般", "速度很快")] == [
        "train", "train", "train", "calibration", "train",
    ]  # fmt: skip
    found = {
        part: next(str(n) for n in range(100) if corpus.part_of(str(n)) == part)
        for part in ("calibration", "test")
    }
    assert found == {"calibration": "11", "test": "6"}


def test_text_without_letters_is_dropped() -> None:
    parts = corpus.split(["！！！", "   ", ""], ["……"])
    assert (parts.train, parts.calibration, parts.test) == ((), (), ())


def test_what_is_checked_is_never_trained_on() -> None:
    trained = {corpus.key(text) for text, _ in everyday.sentences()}
    assert not trained & {corpus.key(text) for text, _ in everyday.CHECK}
    assert everyday.sentences() == everyday.sentences()
    assert {target for _, target in everyday.sentences()} <= {0.0, 0.2, 0.5, 1.0}
