"""A campaign: one function on many configurations, through any executor, resumable.

Every result is appended to a file of JSON lines as soon as it is known, under a hash of the
function's name and code, its configuration (seed included) and the version of dlnlab.  So a
campaign that was killed, here or on a cluster, continues where it was; results do not depend on
where they were computed, on the order in which they came, or on whether they were read back from
the file.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import numbers
import os
import re
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dlnlab.campaigns import executors, states
from dlnlab.files import fingerprints, locks, storage
from dlnlab.numerics import checks
from dlnlab.progress import Progress
from dlnlab.version import VERSION

__all__ = [
    "ATTEMPTS",
    "CHUNK_SECONDS",
    "FOREIGN",
    "HEAD",
    "REST",
    "AnyFunction",
    "Function",
    "as_completed",
    "run",
    "seconds",
    "task",
]

CHUNK_SECONDS = 0.5
"""Tasks travel in chunks of about this duration: long against sending one (0.2 ms to a process,
1 ms to a cluster on the same machine), short against the loss if a worker is killed."""

FOREIGN = 128
"""Tasks kept under way on an executor that does not say how many workers it has."""

ATTEMPTS = 3
"""A task whose worker dies this many times is at fault itself."""

Function = Callable[[Mapping[str, Any]], Mapping[str, Any]]
AnyFunction = TypeVar("AnyFunction", bound=Function)

HEAD, REST = b'{"key": "', b'", "configuration": '
"""What every line begins with, before and after its key of 64 hexadecimal digits."""


class _Keyed(NamedTuple):
    """A configuration under its hash."""

    key: str
    configuration: Mapping[str, Any]


class _Finished(NamedTuple):
    """What became of a task: its result as JSON, or the exception it raised, with its traceback.

    Exceptions travel as text, since not all of them can be pickled.
    """

    task: _Keyed
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
        not computed again, unless the function has been edited since, or what it uses.
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
        If `function` raised, with the configuration in the message, or the executor broke; what was
        computed by then is in the file.
    OSError
        If the file can no longer be written, as on a full disk; it holds what was written before.
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

    Parameters
    ----------
    function, configurations, path, executor, progress
        See `run`.

    Yields
    ------
    (int, dict)
        The number of a configuration, counted from 0, and its result.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed, or the file cannot be used.
    RuntimeError
        If a task raises, or the executor is broken.
    """
    identity = _identity(function)
    tasks = [_Keyed(_key(identity, content), content) for content in _mappings(configurations)]
    numbers: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        numbers.setdefault(task.key, []).append(number)
    with ExitStack() as stack:
        ledger = stack.enter_context(_Ledger(path))
        known = [key for key in numbers if key in ledger.results]
        kept = states.folder_of(path)
        states.sweep(kept, known)
        missing = [tasks[same[0]] for key, same in numbers.items() if key not in ledger.results]
        bar = Progress(progress, len(numbers), "task", has_loss=False)
        stack.callback(bar.close)
        bar.update(len(known))
        yield from ((n, json.loads(ledger.results[key])) for key in known for n in numbers[key])
        if not missing:
            return
        pool = stack.enter_context(executors.using(executor))
        done = len(known)
        for outcomes in _outcomes(function, missing, pool, kept):
            done += ledger.write(outcomes)
            states.sweep(kept, [outcome.task.key for outcome in outcomes if not outcome.error])
            bar.update(done)
            for outcome in outcomes:
                if outcome.error:
                    raise _failed(identity.name, outcome)
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
    identity, spent, path = _identity(function), {}, checks.path("path", path)
    if os.path.isfile(path):
        spent = {entry["key"]: float(entry["seconds"]) for entry in _entries(path)}
    return [spent.get(_key(identity, content)) for content in _mappings(configurations)]


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


def task(name: str) -> Callable[[AnyFunction], AnyFunction]:
    """Give a function the name under which campaigns keep its results.

    By default that is the name of its module and its own; with a name of its own it may move to
    another module.

    Parameters
    ----------
    name : str
        That no other task has.

    Returns
    -------
    callable
        A decorator, which returns the function itself.

    Raises
    ------
    TypeError
        If `name` is no text, or empty.

    Examples
    --------
    >>> @task("doubling")
    ... def double(configuration):
    ...     return {"twice": 2 * configuration["number"]}
    """
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"`name` must be a string with a letter at least, got {checks.describe(name)}"
        )

    def give(function: AnyFunction) -> AnyFunction:
        function.task_name = name  # type: ignore[attr-defined]
        return function

    return give


class _Identity(NamedTuple):
    """What tells a function from others: its name, and a hash of its code.

    The code of dlnlab's own functions is given by its version.
    """

    name: str
    code: str


def _identity(function: Function) -> _Identity:
    own = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '<object>')}"
    if not callable(function) or "<" in own:
        raise ValueError(
            f"`function` must be defined at the top level of a module, so that other processes can "
            f"import it; got {checks.describe(function) if not callable(function) else own}"
        )
    if inspect.ismethod(function) and not isinstance(function.__self__, type):
        raise ValueError(
            f"`function` must not be a method, whose results depend on more than the "
            f"configuration; got {own} of an object"
        )
    code = "" if fingerprints.is_ours(function) else fingerprints.of_function(function)
    return _Identity(getattr(function, "task_name", own), code)


def _key(identity: _Identity, configuration: Mapping[str, Any]) -> str:

    code = [identity.code] if identity.code else []
    try:
        content = json.dumps([identity.name, VERSION, configuration, *code], sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"`configurations` must hold plain JSON, got {checks.describe(configuration)}: {error}"
        ) from None
    return hashlib.sha256(content.encode()).hexdigest()


# ---------------------------------------------------------------------- carrying out


def _outcomes(
    function: Function, tasks: Sequence[_Keyed], executor: Executor, kept: Path | None
) -> Iterator[list[_Finished]]:
    """Yield the outcomes of tasks as they come, in their order, keeping the executor busy.

    Tasks keep their states in the folder `kept`.
    """
    waiting, most = deque(tasks), _under_way(executor)
    running: dict[Future[list[_Finished]], list[_Keyed]] = {}
    lost: dict[str, int] = {}
    spent = finished = 0.0
    while waiting or running:
        while waiting and len(running) < most:
            size = _chunk_size(spent, finished, len(waiting), most)
            alone = waiting[0].key in lost  # a task that may kill its worker shall take no other
            chunk = [waiting.popleft() for _ in range(1 if alone else size)]
            try:
                running[executor.submit(_carry_out, function, chunk, kept)] = chunk
            except BrokenExecutor as error:  # a pool of the user's own, which is not mended
                waiting.extendleft(reversed(chunk))
                if not running:
                    raise _broken(lost, error) from error
                break  # what others have finished is not to be lost
        done = wait(running, return_when=FIRST_COMPLETED).done
        outcomes: list[_Finished] = []
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


def _carry_out(function: Function, chunk: Sequence[_Keyed], kept: Path | None) -> list[_Finished]:
    """Run the tasks of a chunk, in a worker, up to the first that raises."""
    outcomes = []
    for task in chunk:
        started = time.perf_counter()
        try:
            with states.keeping(kept, task.key):
                result = json.dumps(function(task.configuration))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit, too: the client must learn of it
            told, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
            outcomes.append(_Finished(task, "", time.perf_counter() - started, told, trace))
            break
        outcomes.append(_Finished(task, result, time.perf_counter() - started))
    return outcomes


def _to_repeat(chunk: list[_Keyed], lost: dict[str, int], error: BaseException) -> list[_Keyed]:
    """Return the tasks of a worker that died, unless one of them has died too often."""
    for task in chunk:
        lost[task.key] = lost.get(task.key, 0) + 1
        if lost[task.key] >= ATTEMPTS:
            raise RuntimeError(
                f"a worker died {ATTEMPTS} times in the task {task.configuration}: it ran out of "
                'memory, or a script calls this outside `if __name__ == "__main__":`'
            ) from error
    return chunk


def _broken(lost: Mapping[str, int], error: BaseException) -> RuntimeError:
    return RuntimeError(
        f"`executor` is broken, since a worker of it died ({error}), in one of {len(lost)} tasks "
        "that were under way; what was finished is in the file `path`, if there is one: run the "
        'same with a new executor, or with "processes", which replaces workers that die'
    )


def _failed(name: str, outcome: _Finished) -> RuntimeError:
    error = RuntimeError(f"{name} failed for {outcome.task.configuration}: {outcome.error}")
    error.add_note(outcome.trace)
    return error


# ---------------------------------------------------------------------- keeping


class _Ledger:
    """The results so far, as JSON text by key, and the file they are appended to."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.results: dict[str, str] = {}
        self._file: int | None = None
        if path is None:
            return
        self._path = storage.check("path", path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        try:
            self._file = os.open(self._path, flags, 0o666)
            self._lock = locks.Lock("path", path, "campaign", itself=True)
        except OSError as error:
            self._close()
            raise ValueError(f"`path` {os.fspath(path)!r} cannot be written: {error}") from error
        except BaseException:
            self._close()
            raise
        try:
            self._load()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> _Ledger:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._lock.release()
            self._close()

    def write(self, outcomes: Iterable[_Finished]) -> int:
        """Keep what succeeded; return how many that were."""
        kept = [outcome for outcome in outcomes if not outcome.error]
        self.results.update((outcome.task.key, outcome.result) for outcome in kept)
        if self._file is not None:
            self._append("".join(map(_line, kept)).encode())
        return len(kept)

    def _append(self, content: bytes) -> None:
        """Hand bytes to the system, which keeps them when this process is killed.

        If they do not all fit on the disk, none is left.
        """
        assert self._file is not None
        if not self._lock.is_held():
            raise OSError(f"{str(self._path)!r} has been taken over by another campaign")
        size, done = os.fstat(self._file).st_size, 0
        try:
            while done < len(content):
                done += os.write(self._file, content[done:])
        except OSError as error:
            os.ftruncate(self._file, size)
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def _load(self) -> None:
        """Read all lines, and cut off one that was being written when its run ended."""
        assert self._file is not None
        end = 0
        for entry, place in _lines(self._path):
            end = place
            if entry is not None:
                self.results[entry["key"]] = json.dumps(entry["result"])
        if end < os.fstat(self._file).st_size:
            os.ftruncate(self._file, end)
        if end and os.pread(self._file, 1, end - 1) != b"\n":
            self._append(b"\n")

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _entries(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield what each line of a file holds."""
    return (entry for entry, _ in _lines(path) if entry is not None)


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Yield what each complete line holds, and where it ends.

    A line may be damaged by NULs, which a file system leaves where it lost power: it holds None,
    and is computed again.  The last one may be incomplete, which is left out.  Anything else, and a
    file that does not hold at least the beginning of a line, is none of ours.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    end, known = 0, False
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip(b"\n").strip(b"\0")
            entry = _entry(text)
            torn = not line.endswith(b"\n") or b"\0" in line
            known = known or entry is not None or (torn and _begins_a_line(text, whole=True))
            if entry is None and not (torn and known and _begins_a_line(text)):
                raise ValueError(
                    f"`path` {os.fspath(path)!r}, line {number}: not a result of a campaign"
                )
            if entry is None and not line.endswith(b"\n"):
                return
            end += len(line)
            yield entry, end


def _entry(text: bytes) -> dict[str, Any] | None:
    """Return what a line holds, or None if it is not one of ours."""
    try:
        entry = json.loads(text)
        whole = re.fullmatch("[0-9a-f]{64}", entry["key"]) and "configuration" in entry
        return entry if whole and float(entry["seconds"]) >= 0 and "result" in entry else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _begins_a_line(text: bytes, *, whole: bool = False) -> bool:
    """Tell whether a line of ours may begin so; with `whole`, that nothing else would."""
    head, key, rest = text[:9], text[9:73], text[73 : 73 + len(REST)]
    if whole and rest != REST:
        return False
    digits = re.fullmatch(rb"[0-9a-f]*", key) is not None
    return HEAD.startswith(head) and digits and REST.startswith(rest)


def _line(outcome: _Finished) -> str:
    head = json.dumps({"key": outcome.task.key, "configuration": outcome.task.configuration})
    return f'{head[:-1]}, "result": {outcome.result}, "seconds": {outcome.seconds:.6g}}}\n'


def _under_way(executor: Executor) -> int:
    """Return how many tasks to keep under way: two for each worker, if their number is known.

    Raises
    ------
    ValueError
        If the executor says that it has no workers.
    """
    for name in ("workers", "_max_workers"):
        known = getattr(executor, name, None)
        if isinstance(known, numbers.Integral):
            if known < 1:
                raise ValueError(f"`executor` must have workers, got one that has {known}")
            return 2 * min(int(known), executors.MOST)
    return FOREIGN
