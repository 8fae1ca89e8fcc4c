"""Do the tests fail for wrong code?  Break the core in one place at a time and run them; by hand.

    python tests/mutants.py cover FOLDER [PYTEST ARGUMENT …]
    python tests/mutants.py run FOLDER COUNT [WORKERS]
    python tests/mutants.py retry FOLDER
    python docs/generate_mutants.py FOLDER

The first copies the checkout into FOLDER and runs the tests there, to learn which of them reaches
which line of the core and how long it takes.  The second breaks the copy in COUNT places, drawn at
random, one after another, and runs the tests that reach the place, until one fails; results are in
``results.jsonl``, from which an interrupted run resumes.  Survivors are then given to all tests of
their room, as the checkout is now, which also shows whether a new test kills them.  The last writes
the page of results (``docs/mutants.md``).

The operators are those of Cosmic Ray (extra ``mutants``): every number one more and one less, every
arithmetic operator and comparison another, conditions negated, loops that end at once, decorators
removed.  A place is drawn first, then one of its mutants, or operators with many replacements would
make most of the sample.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import multiprocessing
import os
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CORE = ("numerics", "networks", "problems", "training", "reductions", "flow", "claims", "lab")
"""Rooms that are broken."""

SECONDS = "DLNLAB_MUTANTS_SECONDS"
"""Names the file that the seconds of tests go to."""

SEED = 0
LATE = ("claims", "flow", "lab")
"""Rooms whose work the validations do, in processes where no line is traced."""

LONGEST = 400.0
"""Seconds of the processor for all tests of a room."""

OWN, OTHERS = 600.0, 60.0
"""Seconds of tests that reach the line of a mutant, and of others that reach its module, as long as
they took when the lines were covered."""

WARM = (
    *("numpy", "scipy.optimize", "scipy.integrate", "scipy.sparse.linalg", "sympy", "pytest"),
    *("hypothesis", "matplotlib.figure", "array_api_strict", "array_api_compat.numpy"),
)
"""Imported once, before the process of a mutant is forked."""

Mutant = dict[str, Any]


# ------------------------------------------------------------------------------------------- cover


def copied(tree: Path) -> Path:
    """Copy what git knows of the checkout, as it is now."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    known = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name in known.split("\0")[:-1]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    return tree


def cover(folder: Path, arguments: Sequence[str]) -> None:
    """Record in a copy which test runs which line, and its seconds."""
    tree = copied(folder / "tree")
    options = ["--cov=dlnlab", "--cov-context=test", "--cov-report=", "-p", "no:cacheprovider"]
    options += ["-q", "-p", Path(__file__).stem]  # for the hook below
    environment = os.environ | {
        "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'tests'}",
        "OPENBLAS_NUM_THREADS": "1",
        "COVERAGE_FILE": str(folder / "coverage"),
        SECONDS: str(folder / "seconds"),
    }
    command = [sys.executable, "-m", "pytest", *options, *(arguments or ["dlnlab", "tests"])]
    subprocess.run(command, cwd=tree, env=environment, check=True)


def pytest_configure(config: Any) -> None:
    """Open the file that `cover` asks for; some tests put another `open` into place."""
    config.seconds = open(os.environ[SECONDS], "a", encoding="utf-8")  # noqa: SIM115
    config.pluginmanager.register(_Seconds(config.seconds))


class _Seconds:
    """Keeps what every part of a test took."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.file.write(f"{report.nodeid}\t{report.duration}\t{report.outcome}\n")
        self.file.flush()


class Reached:
    """The tests that reach a line, the quickest first."""

    def __init__(self, folder: Path) -> None:
        from coverage import CoverageData

        self.seconds: dict[str, float] = {}
        bad = set()
        for path in folder.glob("seconds*"):
            for line in path.read_text("utf-8").splitlines():
                name, duration, outcome = line.rsplit("\t", 2)
                self.seconds[name] = self.seconds.get(name, 0.0) + float(duration)
                bad |= {name} if outcome != "passed" else set()
        for name in bad:
            del self.seconds[name]
        self.reached: dict[tuple[str, int], set[str]] = {}
        for path in folder.glob("coverage*"):
            data = CoverageData(str(path))
            data.read()
            for measured in data.measured_files():
                module = str(Path(measured).relative_to(folder / "tree"))
                for line, contexts in data.contexts_by_lineno(measured).items():
                    tests = {context.rpartition("|")[0] for context in contexts}
                    found = self.reached.setdefault((module, line), set())
                    found |= tests & self.seconds.keys()

    def tests(self, module: str, line: int) -> list[str]:
        """Return tests of at most `OWN` and `OTHERS` seconds: of the line, then of its module.

        What runs once a process, such as a constant or what a cache holds, is reached by the first
        test alone, though others depend on it.
        """
        own = self.reached.get((module, line), set())
        others = (
            set().union(*(t for (where, _), t in self.reached.items() if where == module)) - own
        )
        return [*self._within(OWN, own), *self._within(OTHERS, others)]

    def _within(self, budget: float, names: set[str]) -> list[str]:
        """Return as many as the budget allows, the quickest first."""
        ordered = sorted(names, key=lambda name: (self.seconds[name], name))
        spent = itertools.accumulate(self.seconds[name] for name in ordered)
        return [name for name, total in zip(ordered, spent, strict=True) if total <= budget]


# ----------------------------------------------------------------------------------------- mutants


def mutants(tree: Path) -> Iterator[Mutant]:
    """Yield mutants of the core in random order, no two of one place."""
    places, draw = all_places(tree), random.Random(SEED)
    draw.shuffle(places)
    for place in places:
        mutant = dict(draw.choice(place))
        after = mutated(tree, mutant)
        before = (tree / mutant["module"]).read_text("utf-8")
        if after is not None and _meaning(after) != _meaning(before):
            yield mutant | _changed(before, after)


def all_places(tree: Path) -> list[list[Mutant]]:
    """Return the mutants of the core by places, in the order of the files."""
    return [place for path in _modules(tree) for place in _places(path, tree)]


def _modules(tree: Path) -> list[Path]:
    return sorted(path for room in CORE for path in (tree / "dlnlab" / room).rglob("*.py"))


def _places(path: Path, tree: Path) -> list[list[Mutant]]:
    """Return the mutants of a file, those of one place together."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(path.read_text("utf-8"))))
    found: dict[Any, list[Mutant]] = {}
    for name in sorted(operator_names()):
        if "Variable" not in name:  # which ask for names of variables
            operator = get_operator(name)()
            positions = [p for node in nodes for p in operator.mutation_positions(node)]
            for occurrence, (start, end) in enumerate(positions):
                mutant = {"module": str(path.relative_to(tree)), "line": start[0]}
                mutant |= {"operator": name.removeprefix("core/"), "occurrence": occurrence}
                found.setdefault((start, end), []).append(mutant)
    return [found[place] for place in sorted(found)]


def mutated(tree: Path, mutant: Mutant) -> str | None:
    """Return the text of the broken module, or None where it is no longer Python."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    text = (tree / mutant["module"]).read_text("utf-8")
    after = mutate_code(text, get_operator(f"core/{mutant['operator']}")(), mutant["occurrence"])
    try:
        compile(after, mutant["module"], "exec", dont_inherit=True)
    except (SyntaxError, TypeError, ValueError):
        return None
    return after


def _meaning(text: str) -> str:
    """Return the code without its annotations, which nothing evaluates."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if hasattr(node, name):
                setattr(node, name, ast.Constant(None) if name == "annotation" else None)
    return ast.dump(tree)


def _changed(before: str, after: str) -> dict[str, str]:
    pairs = itertools.zip_longest(before.splitlines(), after.splitlines(), fillvalue="")
    differing = [(a.strip(), b.strip()) for a, b in pairs if a != b]
    return dict(zip(("before", "after"), differing[0], strict=True))


# --------------------------------------------------------------------------------------------- run


def run(folder: Path, count: int, workers: int = 1) -> None:
    """Try the first `count` mutants that have not been tried yet."""
    reached, results = Reached(folder), folder / "results.jsonl"
    places = all_places(folder / "tree")
    sample = {"seed": SEED, "rooms": CORE, "places": len(places), "mutants": sum(map(len, places))}
    (folder / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
    done = {key(result) for result in _results(folder)}
    chosen = itertools.islice(mutants(folder / "tree"), count)
    waiting = [
        mutant | {"tests": reached.tests(mutant["module"], mutant["line"])}
        for mutant in chosen
        if key(mutant) not in done
    ]
    trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for k in range(workers):
        shutil.copytree(folder / "tree", folder / f"tree{k}", dirs_exist_ok=True)
        trees.put(folder / f"tree{k}")

    def tried(mutant: Mutant) -> Mutant:
        tree = trees.get()
        try:
            limit = sum(reached.seconds[name] for name in mutant["tests"])
            outcome = trial(tree, mutant, mutated(folder / "tree", mutant), limit)
        finally:
            trees.put(tree)
        return mutant | {"tests": len(mutant["tests"])} | outcome

    with ThreadPoolExecutor(workers) as pool, results.open("a", encoding="utf-8") as file:
        for result in pool.map(tried, waiting):
            file.write(json.dumps(result) + "\n")
            file.flush()


def _results(folder: Path, name: str = "results.jsonl") -> list[Mutant]:
    with contextlib.suppress(FileNotFoundError):
        return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]
    return []


def key(mutant: Mapping[str, Any]) -> tuple:
    """Return what a mutant is told by."""
    return tuple(mutant[name] for name in ("module", "operator", "occurrence"))


def retry(folder: Path) -> None:
    """Give every mutant that lives to all tests of its room, in the checkout as it is now."""
    tree = copied(folder / "now")
    done = {key(result) for result in _results(folder, "retried.jsonl")}
    with (folder / "retried.jsonl").open("a", encoding="utf-8") as file:
        for mutant in _results(folder):
            if mutant["outcome"] == "survived" and key(mutant) not in done:
                text = _moved(tree, mutant)
                tests = room_tests(tree, mutant["module"])
                outcome = trial(tree, mutant | {"tests": tests}, text, LONGEST) if text else {}
                file.write(json.dumps(mutant | {"tests": len(tests)} | outcome) + "\n")
                file.flush()


def room_tests(tree: Path, module: str) -> list[str]:
    """Return the tests of a room and, of claims and what attacks them, the validations'."""
    room = module.split("/")[1]
    named = [f"tests/{room}", f"dlnlab/{room}", *(["tests/validations"] if room in LATE else [])]
    return [name for name in named if (tree / name).exists()]


def _moved(tree: Path, mutant: Mutant) -> str | None:
    """Return the broken module where the line is now; None if it is gone or no longer alone."""
    if not (tree / mutant["module"]).exists():
        return None
    lines = (tree / mutant["module"]).read_text("utf-8").split("\n")
    places = [k for k, line in enumerate(lines) if line.strip() == mutant["before"]]
    if len(places) != 1:
        return None
    line = lines[places[0]]
    lines[places[0]] = line[: len(line) - len(line.lstrip())] + mutant["after"]
    return "\n".join(lines)


def trial(tree: Path, mutant: Mutant, text: str | None, limit: float) -> dict[str, Any]:
    """Break the copy, run the tests in a process of their own, mend it."""
    path = tree / mutant["module"]
    whole, started = path.read_text("utf-8"), time.monotonic()
    if text is None:
        raise ValueError(f"no such mutant: {mutant}")
    try:
        _write(path, text)
        outcome = _tested(tree, mutant["tests"], limit)
    finally:
        _write(path, whole)
    return outcome | {"seconds": round(time.monotonic() - started, 1)}


def _write(path: Path, text: str) -> None:
    """Write a module, and drop what was compiled of it: two versions may share size and second."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def _tested(tree: Path, tests: Sequence[str], limit: float) -> dict[str, Any]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(WARM))
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_test, args=(str(tree), list(tests), limit, theirs))
    process.start()
    theirs.close()
    process.join(5 * limit + 120)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)  # and what the tests have started
    process.join()
    told: list[Any] = []
    with contextlib.suppress(EOFError):
        while ours.poll():
            told.append(ours.recv())
    if told and isinstance(told[-1], dict):
        return {"outcome": "killed"} | told[-1]
    if process.exitcode == 0 and told == ["passed"]:
        return {"outcome": "survived"}
    if process.exitcode and process.exitcode < 0:
        return {"outcome": "killed", "by": "a limit", "why": f"signal {-process.exitcode}"}
    raise RuntimeError(f"tests ended with {process.exitcode}, {told}: {tests[:3]} …")


def _test(tree: str, tests: list[str], limit: float, connection: Any) -> None:
    """Run tests until the first fails, in a process group with limits of its own."""
    os.setsid()
    seconds = int(limit) + 30  # of the processor, whatever else the machine does
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.chdir(tree)
    sys.path.insert(0, tree)
    os.environ |= {"PYTHONPATH": tree, "DLNLAB_HYPOTHESIS_PROFILE": "mutants"}
    try:
        import dlnlab  # noqa: F401
    except BaseException as error:
        connection.send({"by": "import", "why": _first_line(error)})
        os._exit(0)
    import hypothesis
    import pytest

    # a failure need not be made small
    ends = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    settings = {"derandomize": True, "max_examples": 25, "deadline": None, "database": None}
    patient = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "mutants", phases=ends, suppress_health_check=patient, **settings
    )

    class Told:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                crash = getattr(report.longrepr, "reprcrash", None)
                why = crash.message if crash else str(report.longrepr)
                connection.send({"by": report.nodeid, "why": _first_line(why)})

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                why = str(report.longrepr).strip().splitlines()[-1]
                connection.send({"by": "import", "why": _first_line(why)})

    options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", tree]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what has been imported
    code = pytest.main([*options, *tests], plugins=[Told()])
    if code == pytest.ExitCode.OK:
        connection.send("passed")
    os._exit(int(code))


def _first_line(message: Any) -> str:
    return (str(message).strip().splitlines() or [""])[0][:200]


if __name__ == "__main__":
    command, place, *rest = sys.argv[1:]
    where = Path(place).resolve()
    if command == "cover":
        cover(where, rest)
    elif command == "run":
        run(where, *map(int, rest))
    else:
        retry(where)
