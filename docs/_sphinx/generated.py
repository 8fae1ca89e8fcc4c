"""Pages that are written at each build from the package itself.

The reference has a page for each public module: one that is reached from ``dlnlab`` through names
in ``__all__``.  A name stands where it is reached by the shortest path, and is listed, with a link,
wherever else it is public.
"""

from __future__ import annotations

import importlib
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOTS = (
    *("dlnlab", "dlnlab.executors", "dlnlab.formulations", "dlnlab.plotting", "dlnlab.spans"),
    *("dlnlab.proofs", "dlnlab.validations"),
)
"""Public, with the modules that they list."""

FOLDER = "reference"


def public_modules() -> dict[str, types.ModuleType]:
    """Return the public modules by the shortest name under which each is reached."""
    found: dict[str, types.ModuleType] = {}
    waiting = [(name, importlib.import_module(name)) for name in ROOTS]
    while waiting:
        name, module = waiting.pop(0)  # breadth first: the shortest path comes first
        if module in found.values():
            continue
        found[name] = module
        members = ((item, getattr(module, item)) for item in public(module))
        waiting += [(f"{name}.{item}", m) for item, m in members if inspect.ismodule(m)]
    return found


def public(module: types.ModuleType) -> list[str]:
    """Return the public names of a module, in order."""
    return sorted(getattr(module, "__all__", ()), key=str.lower)


def homes(modules: dict[str, types.ModuleType]) -> dict[str, str]:
    """Say for each public name which one stands for the same object: the first that is met."""
    chosen: dict[int, str] = {}
    where = {}
    for path, module in modules.items():
        for item in public(module):
            value = getattr(module, item)
            if not inspect.ismodule(value):
                name = f"{path}.{item}"
                callable_ = inspect.isfunction(value) or inspect.isclass(value)
                where[name] = chosen.setdefault(id(value), name) if callable_ else name
    return where


def directive(value: Any) -> str:
    """Return autodoc's directive for an object."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "autodata"


def page(path: str, module: types.ModuleType, where: dict[str, str]) -> Iterator[str]:
    """Yield the lines of the page of a module."""
    yield from (
        path,
        "=" * len(path),
        "",
        f".. automodule:: {module.__name__}",
        "   :no-index:",
        "",
    )
    items = [item for item in public(module) if not inspect.ismodule(getattr(module, item))]
    elsewhere = [item for item in items if where[f"{path}.{item}"] != f"{path}.{item}"]
    if elsewhere:
        links = ", ".join(f":py:obj:`{item} <{where[f'{path}.{item}']}>`" for item in elsewhere)
        yield from (f"Described elsewhere: {links}.", "")
    yield from (f".. py:currentmodule:: {path}", "")
    for item in items:
        if item not in elsewhere:
            yield from described(f"{path}.{item}", getattr(module, item))


def described(name: str, value: Any) -> Iterator[str]:
    """Yield the directive of one name."""
    kind = directive(value)
    yield f".. {kind}:: {name}"
    if kind == "autoclass":
        yield "   :members:"
    elif kind == "autodata":
        yield "   :no-value:"
    yield ""


def index(modules: dict[str, types.ModuleType]) -> Iterator[str]:
    """Yield the lines of the list of all modules."""
    yield from ("Every public name", "=================", "")
    yield from (".. toctree::", "   :maxdepth: 1", "")
    yield from (f"   {path}" for path in modules)


def commands() -> Iterator[str]:
    """Yield the page of the command line: what each ``--help`` prints."""
    from dlnlab import cli

    parser = cli._parser()
    yield from ("The command line", "================", "", ".. code-block:: text", "")
    yield from _indented(parser.format_help())
    for name, sub in sorted(_subcommands(parser).items()):
        title = f"dlnlab {name}"
        yield from ("", title, "-" * len(title), "", ".. code-block:: text", "")
        yield from _indented(sub.format_help())


def _subcommands(parser: Any) -> dict[str, Any]:
    action = next(
        a for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict)
    )
    return action.choices


def _indented(text: str) -> Iterator[str]:
    yield from (f"   {line}".rstrip() for line in text.splitlines())


def write(folder: Path, pages: dict[str, str]) -> None:
    """Write what has changed, and remove pages that are no longer made."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        target = folder / name
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, encoding="utf-8")


def generate(app: Any) -> None:
    """Write all pages before Sphinx looks for them."""
    modules = public_modules()
    where = homes(modules)
    pages = {f"{path}.rst": page(path, module, where) for path, module in modules.items()}
    pages |= {"index.rst": index(modules), "commands.rst": commands()}
    write(
        Path(app.srcdir) / FOLDER, {name: "\n".join(lines) + "\n" for name, lines in pages.items()}
    )


BACK = re.compile(r'<a class="viewcode-back"[^>]*>.*?</a>')


def without_back_links(app: Any, name: str, template: str, context: Any, doctree: Any) -> None:
    """Take the links from sources to the reference away: they take a module to have one name."""
    if name.startswith("_modules/") and "body" in context:
        context["body"] = BACK.sub("", context["body"])


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", generate, priority=100)
    app.connect("html-page-context", without_back_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
