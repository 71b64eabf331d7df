"""A full-size BERT-base classifier with random weights of a fixed seed: right for speed, useless for answers.

102 million parameters, 12 layers, hidden 768, vocabulary 21,128, two labels. `python -m bench.bert_base`
makes it once (about a minute) in an environment of its own, and prints where it is. Under
`${XDG_CACHE_HOME:-~/.cache}/sentiment-operator/bench/bert-base-<digest of this recipe>/`:

    checkpoint/            Hugging Face: config.json, model.safetensors, vocab.txt, tokenizer.json
    fp32/                  model package, fp32
    int8/                  model package, weights int8, the embedding's in 4 bits
    int8-post-training/    model package, weights and activations int8

Code and tests get the same with `bench.bert_base.ensure()`, which makes what is missing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.paths import CACHE, ROOT
from bench.texts import MAX_TOKENS, reviews, vocabulary

if TYPE_CHECKING:
    from sentiment_models.quantise import Candidate

SEED = 7
POSITIONS = 512


@dataclass(frozen=True)
class BertBase:
    root: Path

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint"

    @property
    def fp32(self) -> Path:
        return self.root / "fp32"

    @property
    def int8(self) -> Path:
        return self.root / "int8"

    @property
    def int8_post_training(self) -> Path:
        return self.root / "int8-post-training"


def paths() -> BertBase:
    """Where the models are, made or not."""
    parts = (
        Path(__file__),
        Path(__file__).with_name("texts.py"),
        ROOT / "service/sentiment_models/quantise.py",
        ROOT / "service/sentiment_models/smooth.py",
    )
    recipe = b"".join(part.read_bytes() for part in parts)
    return BertBase(CACHE / f"bert-base-{hashlib.sha256(recipe).hexdigest()[:12]}")


def ensure() -> BertBase:
    """Make the models unless they are there; torch, transformers and nncf get their own environment."""
    made = paths()
    if not made.root.is_dir():
        torch_python("-m", "bench.bert_base")
    return made


def torch_interpreter() -> str:
    """A Python that has torch and the service: this one, else that of an environment of its own."""
    if importlib.util.find_spec("torch"):
        return sys.executable
    uv = subprocess.run([ROOT / "e2e/bootstrap.sh"], check=True, stdout=subprocess.PIPE, text=True)
    extras = ("--extra", "models", "--extra", "torch", "--extra", "service")
    environment = CACHE / "env-models"
    subprocess.run(
        [uv.stdout.strip(), "sync", "--frozen", "--quiet", *extras],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)},
    )  # fmt: skip
    return str(environment / "bin/python")


def torch_python(*arguments: str, before: Callable[[], None] | None = None) -> None:
    """Run Python in an environment that has torch; `before` in the new process, before it is Python."""
    subprocess.run(
        [torch_interpreter(), *arguments],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL, preexec_fn=before,
    )  # fmt: skip


def make() -> BertBase:
    """Build all of them in a temporary directory and rename it; needs the extras `models` and `torch`."""
    made = paths()
    if made.root.is_dir():
        return made
    CACHE.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{made.root.name}.", dir=CACHE))
    try:
        _build(BertBase(staging))
        staging.chmod(0o755)
        staging.rename(made.root)
    except FileExistsError:  # somebody else was quicker; theirs is the same
        pass
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return made


def _build(to: BertBase) -> None:
    import openvino as ov  # type: ignore[import-untyped, unused-ignore]
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models import export
    from sentiment_models.checkpoint.first_token import narrow
    from sentiment_models.prepare import RANGE_TEXTS
    from sentiment_models.quantise import Candidate
    from sentiment_service.engine.tokenise import Tokeniser
    from transformers import (  # type: ignore[import-not-found, unused-ignore]
        BertConfig,
        BertForSequenceClassification,
    )

    torch.manual_seed(SEED)
    labels = {0: "负面", 1: "正面"}
    config = BertConfig(
        vocab_size=len(vocabulary()), max_position_embeddings=POSITIONS, id2label=labels,
        label2id={name: index for index, name in labels.items()},
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    _say(f"BERT-base, {sum(p.numel() for p in model.parameters()) / 1e6:.1f} million parameters")
    model.save_pretrained(to.checkpoint)
    _write_tokenizer(to.checkpoint)
    narrow(model)  # as every checkpoint is prepared

    class Logits(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.bert = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.bert(input_ids=input_ids, attention_mask=attention_mask).logits

    converted = to.root / "model.xml"
    # No fp16: what is not int8 is rounded once, at the end.
    ov.save_model(export.convert(Logits()), converted, compress_to_fp16=False)  # type: ignore[arg-type, unused-ignore]
    texts = Tokeniser(to.checkpoint / "tokenizer.json", MAX_TOKENS).encode(reviews(RANGE_TEXTS, SEED))
    for folder, candidate in (
        (to.fp32, Candidate("fp32", "none")),
        (to.int8, Candidate("int8", "weights")),
        (to.int8_post_training, Candidate("int8", "post-training")),
    ):
        _say(f"{folder.name} package")
        _write_package(to, folder, candidate, converted, [text.ids for text in texts])
    for file in (converted, converted.with_suffix(".bin")):
        file.unlink()


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = vocabulary()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 102), ("[CLS]", 101))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizerFast", "do_lower_case": true, "model_max_length": 512, '
        '"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", '
        '"unk_token": "[UNK]"}\n'
    )


def _write_package(
    to: BertBase, folder: Path, candidate: Candidate, converted: Path, ranges: Sequence[Sequence[int]]
) -> None:
    from sentiment_models import package, quantise

    def produce(staging: Path) -> None:
        quantise.make(candidate, converted, staging / "model.xml", ranges)
        shutil.copyfile(to.checkpoint / "tokenizer.json", staging / "tokenizer.json")

    manifest = {
        "name": f"bert-base-random-{folder.name}", "version": "1", "source": "random weights",
        "revision": f"seed-{SEED}", "labels": ["负面", "正面"], "max_tokens": MAX_TOKENS,
        "precision": candidate.precision, "temperature": 1.0, "bias": 0.0, "threshold": 0.5,
        "neutral": {"low": 0.5, "high": 0.5}, "accuracy": {}, "versions": {},
    }  # fmt: skip
    package.write(folder, manifest, produce)


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    made = make()
    for name in ("checkpoint", "fp32", "int8"):
        print(f"{name}\t{getattr(made, name)}")
