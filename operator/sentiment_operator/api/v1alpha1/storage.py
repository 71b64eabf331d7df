"""The volume that holds the model."""

from typing import Literal

from pydantic import Field

from .base import Name, Quantity, Strict, config

_ANEW = "of an existing claim can't change: delete the SentimentService and create it again"


class Storage(Strict):
    """The volume that holds the model for all pods."""

    model_config = config(
        ("self.accessMode == oldSelf.accessMode", f"spec.storage.accessMode {_ANEW}"),
        (
            "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            "spec.storage.size can only grow: keep the old size or more",
        ),
        (
            "has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            f"spec.storage.storageClassName {_ANEW}",
        ),
    )

    size: Quantity = Field("1Gi", description="Size of the claim.")
    storage_class_name: Name | None = Field(
        None, description="Storage class of the claim; the cluster's default when absent."
    )
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        "ReadWriteOnce",
        description="ReadWriteOnce keeps all pods on the node of the first; ReadWriteMany lets them spread.",
    )
    retain: bool = Field(
        False, description="Keep the claim, and with it the model, when this object is deleted."
    )
