"""A campaign: one function on many configurations, through any executor, resumable.

Every result is appended to a file of JSON lines as soon as it is known, under a hash of the
function, its configuration (seed included) and the version of dlnlab.  So a campaign that was
killed, here or on a cluster, continues where it was; results do not depend on where they were
computed, on the order in which they came, or on whether they were read back from the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from dlnlab import checks, executors
from dlnlab.progress import Progress

try:
    import fcntl
except ImportError:  # Windows has no advisory locks; there, two campaigns must not share a file
    fcntl = None  # type: ignore[assignment]

__all__ = ["as_completed", "run", "seconds"]

CHUNK_SECONDS = 0.5
"""Tasks travel in chunks of about this duration: long against sending one (0.2 ms to a process,
1 ms to a cluster on the same machine), short against the loss if a worker is killed."""

ATTEMPTS = 3
"""A task whose worker dies this many times is at fault itself."""

Function = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class _Task(NamedTuple):
    """A configuration under its hash."""

    key: str
    configuration: Mapping[str, Any]


class _Outcome(NamedTuple):
    """What became of a task: its result as JSON, or the exception it raised, with its traceback.

    Exceptions travel as text, since not all of them can be pickled.
    """

    task: _Task
    result: str
    seconds: float
    error: str = ""
    trace: str = ""


def run(
    function: Function,
    configurations: Iterable[Mapping[str, Any]],
    *,
    path: str | os.PathLike[str] | None = None,
    executor: Executor | str | None = None,
    progress: bool | Callable[[int, int], Any] = False,
) -> list[dict[str, Any]]:
    """Return ``function(configuration)`` for every configuration, in their order.

    Parameters
    ----------
    function : callable
        Takes a configuration and returns a result, both plain JSON (NaN and infinity allowed).  It
        must be defined at the top level of a module, since workers import it, and its result must
        depend on nothing but the configuration: randomness comes from a seed in there.
    configurations : iterable of mappings
        Equal ones are computed once.
    path : path, optional
        A file of JSON lines with "key", "configuration", "result" and "seconds".  What it holds is
        not computed again.
    executor : Executor or str, optional
        See `dlnlab.executors.using`; local processes by default.
    progress : bool or callable
        True for a line on the terminal, or a callable ``f(done, total)``.

    Returns
    -------
    list of dict
        As read back from JSON: tuples have become lists.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, a file that holds something else, or one that is in use.
    RuntimeError
        If `function` raised, with the configuration in the message; what was computed by then is in
        the file.

    """
    configurations = _mappings(configurations)
    options: dict[str, Any] = {"path": path, "executor": executor, "progress": progress}
    results = dict(as_completed(function, configurations, **options))
    return [results[number] for number in range(len(configurations))]


def as_completed(
    function: Function,
    configurations: Iterable[Mapping[str, Any]],
    *,
    path: str | os.PathLike[str] | None = None,
    executor: Executor | str | None = None,
    progress: bool | Callable[[int, int], Any] = False,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of a configuration and its result, as results come; see `run`.

    What the file holds comes first.  An iterator that is dropped ends the campaign; what was
    computed by then is in the file.
    """
    name = _name(function)
    tasks = [_Task(_key(name, content), content) for content in _mappings(configurations)]
    numbers: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        numbers.setdefault(task.key, []).append(number)
    with ExitStack() as stack:
        ledger = stack.enter_context(_Ledger(path))
        known = [key for key in numbers if key in ledger.results]
        missing = [tasks[same[0]] for key, same in numbers.items() if key not in ledger.results]
        bar = Progress(progress, len(numbers), "task")
        stack.callback(bar.close)
        bar.update(len(known))
        yield from ((n, json.loads(ledger.results[key])) for key in known for n in numbers[key])
        if not missing:
            return
        pool = stack.enter_context(executors.using(executor))
        done = len(known)
        for outcomes in _outcomes(function, missing, pool):
            done += ledger.write(outcomes)
            bar.update(done)
            for outcome in outcomes:
                if outcome.error:
                    raise _failed(name, outcome)
                yield from ((n, json.loads(outcome.result)) for n in numbers[outcome.task.key])


def seconds(
    function: Function,
    configurations: Iterable[Mapping[str, Any]],
    path: str | os.PathLike[str],
) -> list[float | None]:
    """Return how long each configuration took, None for one that is still to do.

    Parameters
    ----------
    function, configurations, path
        As for `run`; nothing is computed, and a file that does not exist is not created.

    Returns
    -------
    list of float or None
        Wall time of the worker that computed it.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, or a file that holds something else.
    """
    name, spent, path = _name(function), {}, checks.path("path", path)
    if Path(path).is_file():
        with open(path, "rb") as file:
            spent = {entry["key"]: float(entry["seconds"]) for entry, _ in _entries(file, path)}
    return [spent.get(_key(name, content)) for content in _mappings(configurations)]


def _mappings(configurations: Any) -> list[Mapping[str, Any]]:
    """Return configurations as a list, or raise unless they are mappings."""
    told = f"an iterable of mappings, got {checks.describe(configurations)}"
    if isinstance(configurations, Mapping | str | bytes):
        raise TypeError(f"`configurations` must be {told}")
    try:
        iterator = iter(configurations)
    except Exception as error:  # of an object's own making
        raise TypeError(f"`configurations` must be {told}: {error}") from error
    return [
        checks.instance(f"configurations[{k}]", content, Mapping, "a mapping")
        for k, content in enumerate(iterator)
    ]


def _name(function: Function) -> str:
    checks.function("function", function, "a callable f(configuration)")
    module = getattr(function, "__module__", "<none>")
    name = f"{module}.{getattr(function, '__qualname__', '<object>')}"
    if "<" in name:
        raise ValueError(
            f"`function` must be defined at the top level of a module, so that other processes can "
            f"import it; got {name}"
        )
    return name


def _key(name: str, configuration: Mapping[str, Any]) -> str:
    from dlnlab import __version__  # not known yet while the package is being imported

    try:
        content = json.dumps([name, __version__, configuration], sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"`configurations` must hold plain JSON, got {checks.describe(configuration)}: {error}"
        ) from None
    return hashlib.sha256(content.encode()).hexdigest()


# ---------------------------------------------------------------------- carrying out


def _outcomes(
    function: Function, tasks: Sequence[_Task], executor: Executor
) -> Iterator[list[_Outcome]]:
    """Yield the outcomes of tasks as they come, in their order, keeping the executor busy."""
    waiting, most = deque(tasks), executors.under_way(executor)
    running: dict[Future[list[_Outcome]], list[_Task]] = {}
    lost: dict[str, int] = {}
    spent = finished = 0.0
    while waiting or running:
        while waiting and len(running) < most:
            size = _chunk_size(spent, finished, len(waiting), most)
            alone = waiting[0].key in lost  # a task that may kill its worker shall take no other
            chunk = [waiting.popleft() for _ in range(1 if alone else size)]
            running[executor.submit(_carry_out, function, chunk)] = chunk
        done = wait(running, return_when=FIRST_COMPLETED).done
        outcomes: list[_Outcome] = []
        for future in [future for future in running if future in done]:
            chunk = running.pop(future)
            try:
                outcomes += future.result()
            except BrokenExecutor as error:
                waiting.extendleft(reversed(_to_repeat(chunk, lost, error)))
            except Exception as error:  # tasks raise nothing, so it is the executor's own
                raise RuntimeError(f"the executor lost a task: {error}") from error
        finished += len(outcomes)
        spent += sum(outcome.seconds for outcome in outcomes)
        yield outcomes  # all together: a task that raised shall not cost what is done


def _chunk_size(spent: float, finished: float, waiting: int, most: int) -> int:
    """As many tasks as take `CHUNK_SECONDS`, but few enough to leave all workers some."""
    if not finished:
        return 1
    wanted = CHUNK_SECONDS * finished / max(spent, 1e-9)
    return int(max(1, min(wanted, waiting / most)))


def _carry_out(function: Function, chunk: Sequence[_Task]) -> list[_Outcome]:
    """Run the tasks of a chunk, in a worker, up to the first that raises."""
    outcomes = []
    for task in chunk:
        started = time.perf_counter()
        try:
            result = json.dumps(function(task.configuration))
        except Exception as error:  # whatever it is, the client must learn of it
            told, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
            outcomes.append(_Outcome(task, "", time.perf_counter() - started, told, trace))
            break
        outcomes.append(_Outcome(task, result, time.perf_counter() - started))
    return outcomes


def _to_repeat(chunk: list[_Task], lost: dict[str, int], error: BaseException) -> list[_Task]:
    """Return the tasks of a worker that died, unless one of them has died too often."""
    for task in chunk:
        lost[task.key] = lost.get(task.key, 0) + 1
        if lost[task.key] >= ATTEMPTS:
            raise RuntimeError(
                f"a worker died {ATTEMPTS} times in the task {task.configuration}: it ran out of "
                'memory, or a script calls this outside `if __name__ == "__main__":`'
            ) from error
    return chunk


def _failed(name: str, outcome: _Outcome) -> RuntimeError:
    error = RuntimeError(f"{name} failed for {outcome.task.configuration}: {outcome.error}")
    error.add_note(outcome.trace)
    return error


# ---------------------------------------------------------------------- keeping


class _Ledger:
    """The results so far, as JSON text by key, and the file they are appended to."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.results: dict[str, str] = {}
        self._file: Any = None
        if path is None:
            return
        self._path = Path(checks.path("path", path))
        if not self._path.resolve().parent.is_dir() or self._path.is_dir():
            raise ValueError(f"`path` must be a file in an existing directory, got {str(path)!r}")
        self._file = open(self._path, "a+b")  # noqa: SIM115  (closed by __exit__)
        try:
            self._lock()
            self._load()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> _Ledger:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, outcomes: Iterable[_Outcome]) -> int:
        """Keep what succeeded; return how many that were."""
        kept = [outcome for outcome in outcomes if not outcome.error]
        self.results.update((outcome.task.key, outcome.result) for outcome in kept)
        if self._file is not None:
            self._file.write("".join(map(_line, kept)).encode())
            self._file.flush()  # to the system, which keeps it when this process is killed
        return len(kept)

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"`path` {str(self._path)!r} is in use by another campaign") from None

    def _load(self) -> None:
        """Read all complete lines, and cut off one that was being written when its run ended."""
        self._file.seek(0)
        complete = 0
        for entry, end in _entries(self._file, self._path):
            self.results[entry["key"]] = json.dumps(entry["result"])
            complete = end
        self._file.truncate(complete)


def _entries(file: Any, path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield what each complete line holds, and where it ends."""
    end = 0
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            return
        try:
            entry = json.loads(line)
            entry["key"], entry["result"], float(entry["seconds"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"`path` {str(path)!r}, line {number}: not a result of a campaign"
            ) from None
        end += len(line)
        yield entry, end


def _line(outcome: _Outcome) -> str:
    head = json.dumps({"key": outcome.task.key, "configuration": outcome.task.configuration})
    return f'{head[:-1]}, "result": {outcome.result}, "seconds": {outcome.seconds:.6g}}}\n'
