"""In a checkout `proofs/` and `validations/` lie beside the package, not in it; they are found too.

An installed package holds both.  Python started in a checkout imports the package from there, not
the installed one, whether or not that is an editable install.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "find"]

NAMES = ("proofs", "validations")


class _Finder:
    """Finds packages beside a package as if they were inside it."""

    def __init__(self, package: str, folder: Path) -> None:
        self.folders = {f"{package}.{name}": folder / name for name in NAMES}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        folder = self.folders.get(name)
        if folder is None:
            return None
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def find(package: str, folder: Path) -> None:
    """Let Python find `NAMES` beside the folder of a package, unless it holds them.

    Parameters
    ----------
    package : str
        Name of the package.
    folder : Path
        That it was imported from.
    """
    beside = folder.parent
    if not any((folder / name).exists() for name in NAMES) and all(
        (beside / name / "__init__.py").exists() for name in NAMES
    ):
        sys.meta_path.insert(0, _Finder(package, beside))  # before those of another checkout
