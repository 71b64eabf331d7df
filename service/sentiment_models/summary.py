"""What a condition or a column shows of a package: a few short things, since 4 KB hold it. Pure."""

from __future__ import annotations

from typing import Any

from sentiment_models.quantise import Candidate


def facts(made: dict[str, Any]) -> dict[str, Any]:
    """Of a manifest; names and units are those of a SentimentModel's status."""
    accuracy = made.get("accuracy")
    # A checkpoint has no precision of its own, and was judged in fp32.
    how = "pruned" if made.get("pruned") else made.get("precision") or "fp32"
    after = accuracy.get(how) if isinstance(accuracy, dict) else None
    before = accuracy.get("fp32") if isinstance(accuracy, dict) else None
    found = {name: made[name] for name in ("name", "digest", "revision", "precision") if made.get(name)}
    found |= {
        name: _percent(value)
        for name, value in (("accuracyPercent", after), ("accuracyBeforePercent", before))
        if isinstance(value, float | int)
    }
    gate = made.get("gate", {})
    attempts = [_attempt(one) for one in gate.get("attempts", ())]
    size = sum(one["bytes"] for one in made["files"].values())
    # A package of an earlier version may have neither.
    more = {"before": _scores(gate["before"]) if "before" in gate else None, "attempts": attempts}
    return {**found, "bytes": size, **{name: told for name, told in more.items() if told}}


def _scores(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "accuracyPercent": _percent(one["accuracy"]),
        "accuracyInterval": [_percent(side) for side in one["accuracy_interval"]],
        "macroF1Percent": _percent(one["macro_f1"]),
        "calibrationErrorPercent": _percent(one["ece"]),
    }


def _percent(value: float) -> float:
    return round(100 * value, 2)


# A package of an earlier version may not have them.
_SPEED = {"speedup": "speedup", "speedup_per_point": "speedupPerPoint"}


def _attempt(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "precision": Candidate(one["precision"], one["quantisation"], one.get("pruned", 0)).shown,
        "milliseconds": one["milliseconds"],
        **{shown: one[name] for name, shown in _SPEED.items() if one.get(name) is not None},
        **_scores(one),
        "dropPoints": _percent(one["drop"]),
        "dropInterval": [_percent(side) for side in one["drop_interval"]],
        **({"refused": one["refused"]} if one["refused"] else {}),
    }  # fmt: skip
