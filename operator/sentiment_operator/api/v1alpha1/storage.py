"""The volume that holds the model."""

from typing import Literal

from pydantic import Field

from .base import Name, Quantity, Strict, as_quantity, config

AccessMode = Literal["ReadWriteOnce", "ReadWriteMany"]


def storage_rules(kind: str) -> tuple[tuple[str, str], ...]:
    """What may not change in `spec.storage` of an object of that kind."""
    anew = f"of an existing claim can't change: delete the {kind} and create it again"
    return (
        ("self.accessMode == oldSelf.accessMode", f"spec.storage.accessMode {anew}"),
        (
            f"{as_quantity('self.size')}.compareTo({as_quantity('oldSelf.size')}) >= 0",
            "spec.storage.size can only grow: keep the old size or more",
        ),
        (
            "has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            f"spec.storage.storageClassName {anew}",
        ),
    )


class Storage(Strict):
    """The volume that holds the bundled model for all pods."""

    model_config = config(*storage_rules("SentimentService"))

    size: Quantity = Field("1Gi", description="Size of the claim.")
    storage_class_name: Name | None = Field(
        None, description="Storage class of the claim; the cluster's default when absent."
    )
    access_mode: AccessMode = Field(
        "ReadWriteOnce",
        description="ReadWriteOnce keeps all pods on the node of the first; ReadWriteMany lets them spread.",
    )
    retain: bool = Field(
        False, description="Keep the claim, and with it the model, when this object is deleted."
    )
