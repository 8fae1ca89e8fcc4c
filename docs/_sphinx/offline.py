"""What a page needs comes with the site, and a build needs no network.

MathJax is one file, copied from the package django-static-mathjax, which does nothing else than
carry it.  Intersphinx asks the other libraries for their inventories; where there is no network it
takes ``docs/inventories.txt``, the names that our docstrings refer to.
"""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sphinx.util.inventory import InventoryFile

MATHJAX = "mathjax/static/mathjax/es5/tex-svg.js"
SITES = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "matplotlib": "https://matplotlib.org/stable/",
}


def mathjax(folder: Path) -> str:
    """Copy MathJax into a folder and return the name of its file."""
    files = metadata.files("django-static-mathjax") or ()
    source = next(file for file in files if str(file) == MATHJAX)
    shutil.copy(str(source.locate()), folder / "tex-svg.js")
    return "tex-svg.js"


def inventories(listing: Path, folder: Path) -> dict[str, tuple[str, tuple[None, str]]]:
    """Write an inventory for each site from the list of names; return Intersphinx's mapping."""
    rows = [line.split() for line in listing.read_text("utf-8").splitlines() if line[:1] not in "#"]
    mapping = {}
    for site, address in SITES.items():
        names = [
            (name, role, page) for where, role, name, page in filter(None, rows) if where == site
        ]
        path = folder / f"{site}.inv"
        InventoryFile.dump(str(path), _environment(site, names), _Addresses())
        mapping[site] = (address, (None, str(path)))
    return mapping


class _Addresses:
    """Stands for a builder that knows where each page is: its name is its address."""

    def get_target_uri(self, name: str) -> str:
        return name


def _environment(site: str, names: list[tuple[str, str, str]]) -> Any:
    """Stand for the environment of a site with one domain, Python's."""
    objects = [(name, name, role, page, name, 1) for name, role, page in names]
    domain = SimpleNamespace(name="py", get_objects=lambda: objects)
    return SimpleNamespace(
        config=SimpleNamespace(project=site, version=""),
        domains=SimpleNamespace(sorted=lambda: [domain]),
    )


def prepare(app: Any, config: Any) -> None:
    folder = Path(app.outdir).parent / "offline"
    folder.mkdir(parents=True, exist_ok=True)
    static = folder / "static"
    static.mkdir(exist_ok=True)
    config.mathjax_path = mathjax(static)
    config.html_static_path.append(str(static))
    config.intersphinx_mapping = inventories(Path(app.srcdir) / "inventories.txt", folder)
    config.intersphinx_timeout = 5


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", prepare, priority=100)  # before Intersphinx reads its mapping
    return {"parallel_read_safe": True, "parallel_write_safe": True}
