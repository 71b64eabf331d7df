"""What is in an image, as CycloneDX: Python's packages by their metadata, Debian's by dpkg's own records."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from itertools import chain
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

_VERSION = SchemaVersion.V1_6
_licenses = LicenseFactory()


def document(name: str, version: str, root: Path, made: datetime) -> str:
    """The bill of materials of the image whose files lie below `root`, as JSON that fits the schema."""
    bom = Bom()
    bom.metadata.timestamp = made
    whole = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=name)
    bom.metadata.component = whole
    found = {one.metadata["Name"].lower().replace("_", "-"): one for one in _distributions(root)}
    parts = {key: _python(one) for key, one in found.items()}
    for key, one in found.items():
        bom.register_dependency(parts[key], [parts[name] for name in _needs(one) if name in parts])
    system = [_debian(one) for one in _packages(root)]
    bom.components.update(parts.values(), system)
    bom.register_dependency(whole, [*parts.values(), *system])
    # The same content has the same number.
    purls = " ".join(sorted(str(one.purl) for one in bom.components))
    bom.serial_number = uuid5(NAMESPACE_URL, f"{name} {version} {made} {purls}")
    text = make_outputter(bom, OutputFormat.JSON, _VERSION).output_as_string(indent=1)
    if wrong := JsonStrictValidator(_VERSION).validate_str(text):
        raise ValueError(f"the bill of materials of {name} does not fit the schema: {wrong}")
    return text + "\n"


def _distributions(root: Path) -> Iterable[Distribution]:
    folders = root.glob("app/lib/python3*/site-packages")
    return chain.from_iterable(distributions(path=[str(folder)]) for folder in folders)


def _python(one: Distribution) -> Component:
    meta = one.metadata
    told = next((meta[key] for key in ("License-Expression", "License") if key in meta), "")
    short = told if told and "\n" not in told and len(told) < 80 else ""
    return Component(
        name=meta["Name"],
        version=one.version,
        description="".join(meta.get_all("Summary") or ()),
        licenses=[_licenses.make_from_string(short)] if short else [],
        purl=PackageURL("pypi", name=meta["Name"].lower().replace("_", "-"), version=one.version),
        bom_ref=f"pypi/{meta['Name']}",
    )


def _needs(one: Distribution) -> Iterator[str]:
    for line in one.requires or ():
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield wanted.name.lower().replace("_", "-")


def _packages(root: Path) -> Iterator[Message]:
    """dpkg's records: one file of all, or, in an image without dpkg, a file for each."""
    folder = root / "var/lib/dpkg"
    for file in [folder / "status", *sorted(folder.glob("status.d/*"))]:
        if file.exists():
            for stanza in re.split(r"\n{2,}", file.read_text().strip()):
                yield HeaderParser().parsestr(stanza)


def _debian(one: Message) -> Component:
    name, version = str(one["Package"]), str(one["Version"])
    where = {"arch": str(one["Architecture"])}
    return Component(
        name=name,
        version=version,
        purl=PackageURL("deb", "debian", name, version, where),
        bom_ref=f"deb/{name}",
    )
