"""Parts of the spec as Kubernetes spells and keeps them."""

from typing import Any

from pydantic import BaseModel


def dump(part: BaseModel) -> dict[str, Any]:
    """A part that has the form of the Kubernetes API, without what the API server would not keep.

    It drops empty strings, lists and `matchLabels`; an empty selector, which means all, stays.
    """
    made: dict[str, Any] = _kept(part.model_dump(by_alias=True, exclude_none=True))
    return made


def _kept(value: Any, field: str = "") -> Any:
    if isinstance(value, dict) and field != "matchLabels":
        kept = {name: _kept(inner, name) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if not _dropped(name, inner)}
    if isinstance(value, list):
        return [_kept(inner) for inner in value]
    return value


def _dropped(name: str, value: Any) -> bool:
    return value in ("", []) or (name == "matchLabels" and not value)
