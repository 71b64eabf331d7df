"""The card tells the figures it is given, good or bad."""

from __future__ import annotations

from typing import Any

from sentiment_models import card

MANIFEST: dict[str, Any] = {
    "name": "tiny", "version": "9", "digest": "sha256:12", "revision": "ab", "quantisation": "weights",
    "neutral": {"low": 0.41, "high": 0.59},
    "accuracy": {"fp32": 0.871, "int8": 0.8685},
    "baselines": {
        "nb_svm": {"accuracy": 0.8459, "mcnemar_p": 0.012, "accuracy_on_other_splits": [0.82, 0.86]},
        "tfidf_lr": {"accuracy": 0.8442, "mcnemar_p": 0.004},
    },
}  # fmt: skip


def report(**changes: Any) -> dict[str, Any]:
    return {
        "package": {"digest": "sha256:12", "bytes": 9_700_000},
        "texts": 1000, "accuracy": 0.8685, "macro_f1": 0.86, "ece": 0.012,
        "neutral": {"share": 0.05, "accuracy_inside": 0.6, "accuracy_outside": 0.89},
        "by_length": {"1-10": {"texts": 40, "accuracy": 0.8}},
        "latency_ms_32_tokens_1_core": 2.5,
        "everyday": {"right": 1, "of": 2},
        "everyday_wrong": [{"text": "我住在三楼", "expected": "中", "got": "正", "p": 0.7}],
        "surest_mistakes": [{"text": "好", "label": "负面", "p": 0.99}],
        **changes,
    }  # fmt: skip


def test_it_holds_every_figure() -> None:
    text = card.markdown(MANIFEST, report())
    for expected in (
        "# Model card: tiny 9", "`sha256:12`", "9.7 MB (int8, weights)", "0.41 < p(正面) < 0.59",
        "**86.85%**", "87.10%", "| NB-SVM, character 1- to 3-grams | 84.59% | 0.012 |", "84.42%",
        "82.0% to 86.0%", "1.1 points", "0.0120", "60.0%, 89.0%", "2.5 ms", "1 of 2",
        "| 1-10 | 40 | 80.0% |", "我住在三楼 (should be 中, is 正, p = 0.7)", "好 (label 负面, p = 0.99)",
    ):  # fmt: skip
        assert expected in text


def test_it_says_whether_the_goal_is_reached() -> None:
    assert "87% is **missed**" in card.markdown(MANIFEST, report())
    assert "87% is reached" in card.markdown(MANIFEST, report(accuracy=0.8701))
    # 1552 of 1784 are 86.996 %: what is rounded counts for nothing here.
    assert "87% is **missed** by 1 text." in card.markdown(MANIFEST, report(texts=1784, accuracy=0.87))


def test_a_model_without_a_band() -> None:
    band = {"share": 0.0, "accuracy_inside": None, "accuracy_outside": 0.87}
    assert "| none, 87.0% |" in card.markdown(MANIFEST, report(neutral=band))
