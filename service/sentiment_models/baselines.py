"""TF-IDF + logistic regression and NB-SVM on character n-grams; together they are also the teacher."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-not-found, import-untyped, unused-ignore]
from sklearn.feature_extraction.text import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    CountVectorizer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found, import-untyped, unused-ignore]

Floats = NDArray[np.float64]


class TfidfLr:
    """TF-IDF of character 1- to 3-grams, logistic regression."""

    def __init__(self) -> None:
        self.vectors: Any = TfidfVectorizer(
            analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True, dtype=np.float32
        )
        self.model: Any = LogisticRegression(C=8.0, max_iter=300, solver="liblinear")

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64]) -> TfidfLr:
        """Fit on texts."""
        self.model.fit(self.vectors.fit_transform(texts), labels)
        return self

    def score(self, texts: Sequence[str]) -> Floats:
        """Log-odds of 正面 [texts]."""
        return np.asarray(self.model.decision_function(self.vectors.transform(texts)), dtype=np.float64)


class NbSvm:
    """Wang and Manning's NB-SVM (logistic loss) on binary character 1- to 3-grams."""

    def __init__(self) -> None:
        self.vectors: Any = CountVectorizer(
            analyzer="char", ngram_range=(1, 3), min_df=2, binary=True, dtype=np.float32
        )
        self.model: Any = LogisticRegression(C=0.1, max_iter=300, solver="liblinear")
        self.ratio: Any = None

    def fit(self, texts: Sequence[str], labels: NDArray[np.int64]) -> NbSvm:
        """Fit on texts."""
        counts = self.vectors.fit_transform(texts)
        good = np.asarray(counts[labels == 1].sum(axis=0)).ravel() + 1.0
        bad = np.asarray(counts[labels == 0].sum(axis=0)).ravel() + 1.0
        self.ratio = sparse.diags(np.log((good / good.sum()) / (bad / bad.sum())).astype(np.float32))
        self.model.fit(counts @ self.ratio, labels)
        return self

    def score(self, texts: Sequence[str]) -> Floats:
        """Log-odds of 正面 [texts]."""
        scores = self.model.decision_function(self.vectors.transform(texts) @ self.ratio)
        return np.asarray(scores, dtype=np.float64)


def out_of_fold(texts: Sequence[str], labels: NDArray[np.int64], folds: int, seed: int) -> Floats:
    """The teacher's probability of 正面 for each training text, from models that never saw that text."""
    fold = np.random.default_rng(seed).integers(0, folds, len(texts))
    result = np.zeros(len(texts))
    for number in range(folds):
        inside, outside = np.flatnonzero(fold != number).tolist(), np.flatnonzero(fold == number).tolist()
        learn, judge = [texts[i] for i in inside], [texts[i] for i in outside]
        scores = (NbSvm().fit(learn, labels[inside]).score(judge)
                  + TfidfLr().fit(learn, labels[inside]).score(judge)) / 2  # fmt: skip
        result[outside] = 1 / (1 + np.exp(-scores))
    return result


def over_splits(texts: Sequence[str], labels: NDArray[np.int64], salts: int = 8) -> list[float]:
    """NB-SVM's accuracy on other 90/10 splits of all texts, by salted hash: what the split decides."""
    found = []
    for salt in range(salts):
        buckets = np.array([hashlib.sha256(f"{salt}:{text}".encode()).digest()[0] % 10 for text in texts])
        inside, outside = np.flatnonzero(buckets != 9).tolist(), np.flatnonzero(buckets == 9).tolist()
        model = NbSvm().fit([texts[i] for i in inside], labels[inside])
        scores = model.score([texts[i] for i in outside])
        found.append(round(float(((scores >= 0) == (labels[outside] == 1)).mean()), 4))
    return found
