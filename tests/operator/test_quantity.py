from decimal import Decimal

import pytest
from pydantic import ValidationError
from sentiment_operator.api.quantity import amount
from sentiment_operator.api.v1alpha1.serving import Requests


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"),
        ("250m", "0.25"),
        ("0.5", "0.5"),
        ("1.5Gi", "1610612736"),
        ("2T", "2000000000000"),
        ("1e3", "1000"),
        ("12E", "12000000000000000000"),
        ("5u", "0.000005"),
        ("7Ki", "7168"),
    ],
)
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert amount(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "one", "1KiB"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        amount(text)


@pytest.mark.parametrize(("given", "made"), [(2, "2"), ("250m", "250m"), (0, "0")])
def test_a_spec_takes_a_number_for_its_quantity(given: int | str, made: str) -> None:
    assert Requests.model_validate({"cpu": given}).cpu == made


@pytest.mark.parametrize("given", [-1, True, 0.5, "1 core", None])
def test_a_spec_takes_nothing_else(given: object) -> None:
    with pytest.raises(ValidationError):
        Requests.model_validate({"cpu": given})
