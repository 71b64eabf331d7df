"""`python -m e2e.docs`: writes the reference pages that are made of code."""

from ..cluster.paths import REPO
from .pages import generated

for path, text in generated().items():
    path.write_text(text)
    print(path.relative_to(REPO))
