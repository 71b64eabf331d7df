"""What all parts of the spec share: strictness, quantities, CEL rules and references."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel


def _int_or_string(pattern: str, **more: int) -> WithJsonSchema:
    """YAML makes a number of what has no quotes, as in `cpu: 2`; the pattern is for strings alone."""
    kinds = [{"type": "integer"}, {"type": "string"}]
    return WithJsonSchema(
        {"x-kubernetes-int-or-string": True, "anyOf": kinds, "pattern": pattern, "minimum": 0, **more}
    )


_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    Field(pattern=_QUANTITY, max_length=32),
    _int_or_string(_QUANTITY, maxLength=32),
]


def as_quantity(field: str) -> str:
    """The CEL of a `Quantity` as what can be compared."""
    return f"quantity(string({field}))"


# A count, or a share of the pods such as 25%.
IntOrPercent = Annotated[int | str, _int_or_string("^(100|[0-9]{1,2})%$")]
Name = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]  # of an object
LabelValue = Annotated[str, Field(max_length=63, pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")]
Labels = Annotated[dict[str, LabelValue], Field(max_length=64)]
Annotations = Annotated[dict[str, str], Field(max_length=64)]

RULES = "x-kubernetes-validations"


def config(*rules: tuple[str, str], **more: Any) -> ConfigDict:
    """camelCase in YAML, snake_case in code; an unknown field is an error.

    rules: (CEL expression that must hold, message that names field and remedy).
    """
    extra: dict[str, Any] = dict(more)
    if rules:
        extra[RULES] = [{"rule": rule, "message": message} for rule, message in rules]
    return ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        json_schema_extra=extra,
    )


def each(*keys: str) -> dict[str, Any]:
    """Of a list: the server refuses two items with the same keys (none given: two equal items)."""
    kind: dict[str, Any] = {"x-kubernetes-list-type": "map" if keys else "set"}
    return {**kind, "x-kubernetes-list-map-keys": list(keys)} if keys else kind


class Strict(BaseModel):
    """A part of the spec."""

    model_config = config()


class SecretKey(Strict):
    """One key of a Secret in the same namespace; the operator never reads it."""

    name: Name = Field(description="Name of the Secret.")
    key: str = Field(min_length=1, max_length=253, description="Key inside the Secret.")
