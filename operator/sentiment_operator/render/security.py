"""What the restricted Pod Security Standard asks for, and no more rights than that."""

from typing import Any

from ..api.v1alpha1.pod import SecurityContext
from .compact import dump


def container_security() -> dict[str, Any]:
    """The `securityContext` of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_security(context: SecurityContext) -> dict[str, Any]:
    """The `securityContext` of a pod."""
    return {
        "runAsNonRoot": True,
        **dump(context),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
