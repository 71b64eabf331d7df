"""The images that compose.yaml names, made where no registry is reached. Of Grafana no program can be had."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...cluster.images import PRODUCT, Image, build_images
from ...cluster.monitoring import alertmanager_program, prometheus_program
from ...cluster.paths import REPO
from ..files import compose

_FOLDER = Path(__file__).parent.relative_to(REPO)
SERVICE = "sentiment-service"


class Made(NamedTuple):
    """An archive, the image's name in it, and the name that compose.yaml has for it."""

    archive: Path
    name: str
    wanted: str


def made() -> Iterator[Made]:
    """Build what is missing of them."""
    services = compose()["services"]
    programs = {"nginx": None, "prometheus": prometheus_program(), "alertmanager": alertmanager_program()}
    wanted = {SERVICE: PRODUCT[0]}
    wanted |= {services[name]["image"]: _image(name, program) for name, program in programs.items()}
    for archive, (name, image) in zip(build_images(tuple(wanted.values())), wanted.items(), strict=True):
        yield Made(archive, image.short_reference, name)


def _image(name: str, program: Path | None) -> Image:
    dockerfile = str(_FOLDER / f"{name}.Dockerfile")
    sources = (dockerfile, str(program)) if program else (dockerfile,)
    context = str(program.parent if program else _FOLDER)
    return Image(f"compose-{name}", dockerfile, sources, context=context)
