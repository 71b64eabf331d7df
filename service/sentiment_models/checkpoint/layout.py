"""What a checkpoint's directory says of itself, Hugging Face's way or ModelScope's. No torch, no code run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentiment_models.faults import (
    CheckpointIncomplete,
    CheckpointUnreadable,
    CheckpointUnsafe,
    CheckpointUnsupported,
    LabelCountWrong,
    LabelsUnknown,
)

# model_type → the one whose code computes it.
FAMILY = {
    "bert": "bert", "structbert": "bert", "sbert": "bert", "macbert": "bert", "roberta": "roberta",
    "xlm-roberta": "xlm-roberta", "distilbert": "distilbert", "electra": "electra", "albert": "albert",
    "ernie": "ernie", "camembert": "camembert",
}  # fmt: skip
NEGATIVE = {"负面", "消极", "负向", "差评", "负", "negative", "neg", "bad", "label_0", "0"}
POSITIVE = {"正面", "积极", "正向", "好评", "正", "positive", "pos", "good", "label_1", "1"}
MOST_TOKENS = 512


@dataclass(frozen=True)
class Checkpoint:
    """A directory, read. `negative` and `positive` are the rows of the classifier."""

    folder: Path
    layout: str
    config: dict[str, Any]
    weights: tuple[Path, ...]
    labels: tuple[str, ...]
    negative: int
    positive: int

    @property
    def family(self) -> str:
        return FAMILY[self.config["model_type"]]

    @property
    def max_tokens(self) -> int:
        """RoBERTa's first two positions are never used."""
        positions = int(self.config.get("max_position_embeddings", MOST_TOKENS))
        offset = 2 if self.family in ("roberta", "xlm-roberta", "camembert") else 0
        limit = tokenizer_settings(self.folder).get("model_max_length")
        known = int(limit) if isinstance(limit, int | float) and limit < 1e6 else MOST_TOKENS
        return max(3, min(positions - offset, known, MOST_TOKENS))


def read(folder: Path, named: tuple[str, str] | None = None) -> Checkpoint:
    """Faults name the file; `named` says which labels are negative and positive."""
    config, layout = _config(folder)
    kind = str(config.get("model_type", "")).lower()
    if kind not in FAMILY:
        raise CheckpointUnsupported(
            f"model_type {kind or '(none)'} is not of the BERT family ({', '.join(sorted(FAMILY))})"
        )
    config = {key: value for key, value in config.items() if key not in ("auto_map", "custom_pipelines")}
    config["model_type"] = kind
    labels = _labels(folder, config)
    negative, positive = sides(labels, named)
    return Checkpoint(folder, layout, config, weights(folder), labels, negative, positive)


def sides(labels: tuple[str, ...], named: tuple[str, str] | None) -> tuple[int, int]:
    """(row of negative, row of positive)."""
    if len(labels) != 2:
        raise LabelCountWrong(f"the checkpoint tells {len(labels)} classes apart: {', '.join(labels)}")
    if named is not None:
        if set(named) != set(labels):
            raise LabelsUnknown(f"--labels {','.join(named)}: the checkpoint has {', '.join(labels)}")
        return labels.index(named[0]), labels.index(named[1])
    plain = [label.strip().lower() for label in labels]
    for negative, positive in ((0, 1), (1, 0)):
        if plain[negative] in NEGATIVE and plain[positive] in POSITIVE:
            return negative, positive
    raise LabelsUnknown(f"nobody knows which of the classes {', '.join(labels)} is negative")


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, empty when there is none."""
    path = folder / "tokenizer_config.json"
    return _json(path) if path.is_file() else {}


def weights(folder: Path) -> tuple[Path, ...]:
    """The weights' files: safetensors first, torch's zip format else."""
    for single, index in (("model.safetensors", "model.safetensors.index.json"),
                          ("pytorch_model.bin", "pytorch_model.bin.index.json")):  # fmt: skip
        if (folder / single).is_file():
            return (folder / single,)
        if (folder / index).is_file():
            named = sorted(set(_json(folder / index).get("weight_map", {}).values()))
            if any("/" in name or "\\" in name or name.startswith(".") for name in named):
                raise CheckpointUnsafe(f"{index} names files outside the checkpoint")
            missing = [name for name in named if not (folder / name).is_file()]
            if missing or not named:
                raise CheckpointIncomplete(f"{index} names files that are missing: {', '.join(missing)}")
            return tuple(folder / name for name in named)
    others = [
        p.name for p in folder.iterdir() if p.suffix in (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".h5")
    ]
    if others:
        raise CheckpointUnsafe(f"the only weights are {', '.join(sorted(others))}")
    raise CheckpointIncomplete(f"{folder.name} holds no model.safetensors and no pytorch_model.bin")


def _config(folder: Path) -> tuple[dict[str, Any], str]:
    own = _json(folder / "configuration.json") if (folder / "configuration.json").is_file() else {}
    backbone = dict((own.get("model") or {}).get("backbone") or {})
    layout = "modelscope" if own else "huggingface"
    if (folder / "config.json").is_file():
        config = _json(folder / "config.json")
        nested = dict((config.get("model") or {}).get("backbone") or {})
        merged = {**backbone, **nested, **{k: v for k, v in config.items() if k != "model"}}
    elif own:
        merged = {**{k: v for k, v in own.items() if k in ("num_labels", "id2label", "label2id")}, **backbone}
        model = own.get("model") or {}
        merged |= {k: model[k] for k in ("num_labels", "id2label", "label2id") if k in model}
    else:
        raise CheckpointIncomplete(f"{folder.name} holds neither config.json nor configuration.json")
    if "model_type" not in merged and "type" in merged:  # ModelScope's name for it
        merged["model_type"] = merged.pop("type")
    elif "type" in merged:
        merged.pop("type")
    return merged, layout


def _labels(folder: Path, config: dict[str, Any]) -> tuple[str, ...]:
    """By row: label_mapping.json, else id2label, else label2id, else as many as num_labels."""
    mapping = folder / "label_mapping.json"
    by_row: dict[int, str] = {}
    try:
        if mapping.is_file():
            by_row = {int(row): str(name) for name, row in _json(mapping).items()}
        elif config.get("id2label"):
            by_row = {int(row): str(name) for row, name in config["id2label"].items()}
        elif config.get("label2id"):
            by_row = {int(row): str(name) for name, row in config["label2id"].items()}
        else:
            by_row = {row: f"LABEL_{row}" for row in range(int(config.get("num_labels", 2)))}
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointUnreadable(
            f"the labels of {folder.name} are not names and numbers: {error}"
        ) from error
    if sorted(by_row) != list(range(len(by_row))):
        raise LabelCountWrong(f"the labels' rows are {sorted(by_row)}, not 0, 1, …")
    return tuple(by_row[row] for row in range(len(by_row)))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable(f"{path.name}: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointUnreadable(f"{path.name} holds no object")
    return found
