"""The benchmark's texts: what docs/benchmarks.md says of them."""

import statistics

from bench import texts


def test_the_vocabulary_is_laid_out_like_bert_base_chinese() -> None:
    words = texts.vocabulary()
    assert len(words) == len(set(words)) == 21128
    assert [words[at] for at in (0, 100, 101, 102, 103)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def test_lengths_are_the_announced_distribution() -> None:
    tokens = texts.lengths(5000, seed=1)
    assert abs(statistics.median(tokens) - 35) <= 1
    assert max(tokens) == 256


def test_reviews_are_distinct_known_and_the_same_each_time() -> None:
    reviews = texts.reviews(500)
    assert reviews == texts.reviews(500) != texts.reviews(500, seed=2)
    assert len(set(reviews)) == 500
    assert set("".join(reviews)) <= set(texts.vocabulary())
    assert [len(text) + 2 for text in reviews] == texts.lengths(500, seed=1)
