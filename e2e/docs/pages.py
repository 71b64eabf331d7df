"""Every reference page that needs both halves of the product, or a document that one of them made."""

from pathlib import Path

from ..cluster.paths import REPO
from .alerts import alerts_page
from .api import api_page
from .images import images_page
from .metrics import metrics_page
from .values import CHART, chart_page

_FOLDER = REPO / "docs" / "reference"


def generated() -> dict[Path, str]:
    """Path → text."""
    return {
        _FOLDER / "alerts.md": alerts_page(),
        _FOLDER / "api.md": api_page(),
        _FOLDER / "images.md": images_page(),
        _FOLDER / "metrics.md": metrics_page(),
        CHART / "README.md": chart_page(),
    }
