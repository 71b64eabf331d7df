"""What a condition or a column shows of a package: a few short things, since 4 KB hold it. Pure."""

from __future__ import annotations

from typing import Any


def facts(made: dict[str, Any]) -> dict[str, Any]:
    """Of a manifest; names and units are those of a SentimentModel's status."""
    accuracy = made.get("accuracy")
    after = accuracy.get(made.get("precision")) if isinstance(accuracy, dict) else None
    before = accuracy.get("fp32") if isinstance(accuracy, dict) else None
    found = {name: made[name] for name in ("name", "digest", "revision", "precision") if made.get(name)}
    found |= {
        name: round(100 * value, 2)
        for name, value in (("accuracyPercent", after), ("accuracyBeforePercent", before))
        if isinstance(value, float | int)
    }
    attempts = [_attempt(one) for one in made.get("gate", {}).get("attempts", ())]
    size = sum(one["bytes"] for one in made["files"].values())
    return {**found, "bytes": size, **({"attempts": attempts} if attempts else {})}


def _attempt(one: dict[str, Any]) -> dict[str, Any]:
    figures = {
        "accuracyPercent": one["accuracy"], "dropPoints": one["drop"], "macroF1Percent": one["macro_f1"],
        "calibrationErrorPercent": one["ece"],
    }  # fmt: skip
    shown = one["precision"] + ("" if one["quantisation"] == "none" else f" ({one['quantisation']})")
    return {
        "precision": shown, "milliseconds": one["milliseconds"],
        **{name: round(100 * value, 2) for name, value in figures.items()},
        **({"refused": one["refused"]} if one["refused"] else {}),
    }  # fmt: skip
