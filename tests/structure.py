"""The house as its imports draw it: which module leans on which, lazy imports included."""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOPS = ("dlnlab", "proofs", "validations")
"""Folders of the package; the last two are its sub-packages by another place."""

Graph = Mapping[str, set[str]]


def name_of(path: Path, root: Path = ROOT) -> str:
    """Return the name under which a file is imported."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    parts = parts if parts[0] == "dlnlab" else ["dlnlab", *parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(root: Path = ROOT) -> dict[str, Path]:
    """Return every module's file."""
    return {name_of(path, root): path for top in TOPS for path in (root / top).rglob("*.py")}


def imported(name: str, path: Path) -> Iterator[str]:
    """Yield what a module imports, wherever in it: modules, and names in modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            origin = ".".join(filter(None, [*(above if node.level else []), node.module]))
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def modules(root: Path = ROOT) -> dict[str, set[str]]:
    """Return for every module those it imports."""
    known = files(root)
    graph = {}
    for name, path in known.items():
        found = {
            full if full in known else full.rpartition(".")[0] for full in imported(name, path)
        }
        graph[name] = {other for other in found if other in known} - {name}
    return graph


def class_names(root: Path = ROOT) -> Counter[str]:
    """Return how many classes have a name, underscores in front of it left out."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files(root).values())
    classes = (node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    return Counter(node.name.lstrip("_") for node in classes)


def room(module: str) -> str:
    """Return the folder, or single file, of the house that a module is in."""
    return module.split(".")[1] if "." in module else "dlnlab"


def rooms(graph: Graph) -> dict[str, set[str]]:
    """Return for every room those it leans on."""
    house: dict[str, set[str]] = {}
    for name, others in graph.items():
        house.setdefault(room(name), set()).update(room(other) for other in others)
    return {here: there - {here} for here, there in house.items()}


def circle(graph: Graph) -> list[str]:
    """Return one circle of the graph, empty if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def floors(graph: Graph) -> dict[str, int]:
    """Return for every node the length of the longest way down from it; those on nothing have 1."""
    height: dict[str, int] = {}
    for node in TopologicalSorter(graph).static_order():
        height[node] = 1 + max((height[below] for below in graph.get(node, ())), default=0)
    return height


def upward(graph: Graph, order: Iterable[str]) -> list[tuple[str, str]]:
    """Return the arrows that run up in the given order."""
    place = {name: at for at, name in enumerate(order)}
    return [(a, b) for a, below in graph.items() for b in below if place[b] >= place[a]]


def defined(name: str, path: Path) -> set[str]:
    """Return the public names that a module defines: those without an underscore in front.

    These are its functions, classes, constants and types, and what it imports under the same name
    (``from m import x as x``) to hand it on; a package hands on to other rooms more than to users.
    Two kinds of modules have names for themselves: the notation of a proof counts where another
    proof takes it up, and tests beside a validation never.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found, notation, foreign = set(), set(), set()
    for node in _top_level(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            handed_on = (a.name for a in node.names if a.asname == a.name)
            found |= set() if path.name == "__init__.py" else set(handed_on)
            foreign |= {a.name for a in node.names if a.asname is None}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (part for target in targets for part in ast.walk(target))
            notation |= {part.id for part in names if isinstance(part, ast.Name)}
    if name.startswith("dlnlab.proofs"):
        notation &= _taken_from_proofs()
    found |= notation - foreign  # ``fcntl = None`` where there is no such library
    return {item for item in found if not item.startswith(("_", "test_"))}


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those under a condition too."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.stmt))


@functools.cache
def _taken_from_proofs() -> frozenset[str]:
    """Return all names that one proof imports from another."""
    proofs = {name: path for name, path in files().items() if name.startswith("dlnlab.proofs")}
    taken = (full for name, path in proofs.items() for full in imported(name, path))
    return frozenset(full.rpartition(".")[2] for full in taken if full.startswith("dlnlab.proofs."))
