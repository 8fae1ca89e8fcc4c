"""Are the verdicts the same with other kernels, threads and versions?  Measure, compare, tell.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell \\
        python docs/generate_platforms.py measure haswell.json
    python docs/generate_platforms.py compare haswell.json other.json …
    python docs/generate_platforms.py

The first carries out the validations of profile "ci" and the comparisons of `cases` in the
environment it is started in, one process, and writes every margin with its error.  The second holds
all runs against the first one and keeps the results in ``docs/data/platforms.json``.  The last
writes what that file holds into ``accuracy.md``, between ``<!-- platforms -->`` and
``<!-- end -->``.
"""

from __future__ import annotations

import datetime
import json
import math
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

import dlnlab
from dlnlab.claims import CLAIMS, Verdict
from dlnlab.flow.original import RESOLVED

DOCS = Path(__file__).parent
PAGE, DATA = DOCS / "accuracy.md", DOCS / "data" / "platforms.json"
BLOCK = re.compile(r"<!-- platforms -->\n.*?<!-- end -->", re.DOTALL)
PACKAGES = ("numpy", "scipy", "sympy", "hypothesis")

KERNELS = {"Haswell": "AVX2", "Zen": "AVX2"} | dict.fromkeys(
    ("SkylakeX", "Cooperlake", "Sapphirerapids"), "AVX-512"
)
"""The instructions of an OpenBLAS kernel."""


# ------------------------------------------------------------------------------------- comparisons


def _random(shape: tuple[int, int], *spectrum: float, rank: int = 0, rng: int = 0) -> np.ndarray:
    values = np.array(spectrum) if spectrum else None
    return dlnlab.random_target(shape, rank or len(spectrum), rng=rng, singular_values=values)


def _hilbert(size: int) -> np.ndarray:
    k = np.arange(size)
    return 1 / (k[:, None] + k + 1.0)


def _correlated(size: int, coefficient: float) -> np.ndarray:
    k = np.arange(size)
    return coefficient ** np.abs(k[:, None] - k).astype(float)


def _turned(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def cases() -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Return the targets with the arguments of `dlnlab.compare`: regimes, not favourable cases."""
    found: dict[str, tuple[np.ndarray, dict[str, Any]]] = {}
    for depth in (2, 3, 4):
        for shape, rank, r_hat in (((4, 4), 2, 2), ((12, 9), 3, 6), ((40, 40), 4, 8)):
            name = f"{shape[0]} × {shape[1]}, rank {rank}, r̂ = {r_hat}, L = {depth}"
            found[name] = _random(shape, rank=rank), {"r_hat": r_hat, "depth": depth, "eps": 0.05}
    for depth, eps in ((2, 1e-4), (2, 0.3), (3, 1e-1), (3, 1e-2), (3, 1e-3), (5, 0.1)):
        settings = {"r_hat": 4, "depth": depth, "eps": eps}
        found[f"10 × 10, rank 2, L = {depth}, ε = {eps:g}"] = _random((10, 10), rank=2), settings
    for seed in range(4):  # of full rank: some of these starts can never fit the last mode
        settings = {"r_hat": 3, "depth": 2, "eps": 0.2, "rng": seed}
        found[f"3 × 3 of full rank, start {seed}"] = _random((3, 3), rank=3), settings
        settings = {"r_hat": 3, "depth": 3, "eps": 0.1, "rng": seed}
        found[f"6 × 6, rank 3, start {seed}"] = _random((6, 6), rank=3, rng=seed), settings
    small = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]])
    for scale in (1e-12, 1e-9, 1.0, 1e9):
        found[f"tridiagonal 3 × 3, times {scale:g}"] = scale * small, {"r_hat": 3}
    found["spectrum 1, 1e-3"] = _random((8, 8), 1.0, 1e-3), {"r_hat": 4, "depth": 2, "eps": 1e-3}
    found["spectrum 1, 1e-2, 1e-4"] = _random((8, 8), 1.0, 1e-2, 1e-4), {"r_hat": 3, "depth": 3}
    found["Hilbert matrix, 4 × 4"] = _hilbert(4), {"r_hat": 4, "rank": "full", "depth": 2}
    found["AR(0.95), 6 × 6"] = _correlated(6, 0.95), {"depth": 3}
    found["(1000, 2; 3, 4)"] = np.array([[1000.0, 2.0], [3.0, 4.0]]), {"r_hat": 2, "rank": "full"}
    found["300 × 300, rank 5"] = _random((300, 300), rank=5), {"r_hat": 10, "depth": 3}
    found["300 × 200, width 300"] = _random((300, 200), rank=3), {"r_hat": 6, "width": 300}
    eye = 0.1 * np.eye(4)
    found["aligned start"] = np.diag([1, 0.5, 0, 0]), {"r_hat": 3, "eps": 0.1, "weights": [eye] * 3}
    starts = [1e-3 * np.eye(2), 1e-3 * _turned(0.5)]
    turned = {"r_hat": 2, "depth": 2, "eps": 1e-3, "weights": starts}
    found["start turned by 0.5"] = np.diag([1.0, 0.0]), turned
    return found


# ----------------------------------------------------------------------------------------- measure


def measure() -> dict[str, Any]:
    """Return every verdict and every margin with its error, of this environment."""
    compared = {name: _compared(M, settings) for name, (M, settings) in cases().items()}
    suite = import_module("dlnlab.lab.suite")
    tallied = import_module("dlnlab.lab.tally")

    class Listed(tallied.Tally):
        """A tally that also lists what it counts."""

        def __init__(self, about: Any) -> None:
            super().__init__(about)
            self.listed: list[list[Any]] = []

        def add(
            self, margin: float, error: float, premises: Any, witness: Any, count: int = 1
        ) -> None:
            told = witness() if callable(witness) else witness
            self.listed.append([float(margin), float(error), float(told.get("time") or 0.0)])
            super().add(margin, error, premises, told, count)

    validated, instances = {}, {}
    for claim in CLAIMS:
        attack, total = suite.load(claim), tallied.Tally(CLAIMS[claim])
        for task in attack.tasks(suite.PROFILES["ci"], seed=0):
            tally = attack.carry_out(task, Listed(CLAIMS[claim]))
            total.merge(tally.to_dict())
            if not attack.parts[task["part"]].search:  # a search goes where rounding leads it
                instances[f"{claim}, {task['part']}, {task['seed'][-1]}"] = tally.listed
        validated[claim] = _told(attack.conclude(total))
    return where() | {"compared": compared, "validated": validated, "instances": instances}


def _compared(M: np.ndarray, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdicts of a comparison, and its numbers at a time that is everywhere the same.

    Where the steps go, and with them the records, depends on rounding; but the last step of a flow
    lands on `t_end`.
    """
    c = dlnlab.compare(M, **settings)
    fitted = c.fitting_times.compressed
    middle = float(f"{np.max(fitted[np.isfinite(fitted)]):.2g}")
    short = dlnlab.compare(M, **settings, t_end=middle)
    unit = float(c.targets[0])
    reached = bool(np.isclose(short.times[-1], middle, rtol=1e-14, atol=0))
    margin = [float(x[-1]) / unit**2 for x in (short.margin, short.margin_error)]
    values, error = (
        short.original.singular_values[-1] / unit,
        float(short.original_error[-1]) / unit,
    )
    at = {"the margin": margin}
    at |= {f"σ_{i}": [float(value), error] for i, value in enumerate(values, 1)}
    verdicts = {v.claim: _told(v) for v in c.verdicts.values()}
    return {"verdicts": verdicts, "at": at if reached else {}}


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "status": verdict.status,
        "contradicted": verdict.contradicted,
        "unmet": sorted(premise.name for premise in verdict.unmet),
        "margin": float(verdict.margin),
        "error": float(verdict.error),
        "time": float(verdict.witness.get("time") or 0.0),
    }


def where() -> dict[str, Any]:
    """Return versions, kernels and threads of this process."""
    blas = [part for part in threadpoolctl.threadpool_info() if part["user_api"] == "blas"]
    architecture = blas[0].get("architecture", "unknown")
    return {
        "python": platform.python_version(),
        "free_threaded": not getattr(sys, "_is_gil_enabled", lambda: True)(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "blas": sorted({f"{part['internal_api']} {part['version']}" for part in blas}),
        "kernel": architecture,
        "instructions": KERNELS.get(architecture, "unknown"),
        "threads": min(
            [part["num_threads"] for part in blas] + [dlnlab.numerics.threads.available()]
        ),
        "finished": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


# ----------------------------------------------------------------------------------------- compare


def compare(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Hold all runs against the first."""
    return {"reference": _place(runs[0]), "runs": [_held(runs[0], run) for run in runs[1:]]}


def _place(run: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in run.items() if k not in ("compared", "validated", "instances")}


def _held(first: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs differ in: statuses, and margins in units of both errors together."""
    pairs = list(_verdict_pairs(first, run))
    differing = [
        {"where": where, "reference": a, "here": b} for where, a, b in pairs if _judged(a, b)
    ]
    known = [(w, a, b) for w, a, b in _numbers(first, run) if measured(a) and measured(b)]
    numbers = [(where, a, b) for where, a, b in known if same_time(a, b)]
    ratios = [ratio(a, b) for _, a, b in numbers]
    worst = int(np.argmax(ratios))
    return _place(run) | {
        "verdicts": len(pairs),
        "differing": differing,
        "margins": len(numbers),
        "elsewhen": len(known) - len(numbers),
        "moved": [
            {"where": where, "reference": a, "here": b}
            for where, a, b in known
            if not same_time(a, b) and ratio(a, b) > 1
        ],
        "unmeasured": sum(1 for _ in _numbers(first, run)) - len(known),
        "beyond": [
            {"where": where, "reference": a, "here": b, "ratio": r}
            for (where, a, b), r in zip(numbers, ratios, strict=True)
            if not r <= 1
        ],
        "largest": {
            "where": numbers[worst][0],
            "reference": numbers[worst][1],
            "here": numbers[worst][2],
            "ratio": ratios[worst],
        },
    }


def _judged(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return any(a[key] != b[key] for key in ("status", "contradicted", "unmet"))


def _verdict_pairs(first: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple]:
    if any(first[key].keys() != run[key].keys() for key in ("compared", "validated", "instances")):
        raise ValueError("the runs must be of one state of the code: they tried different things")
    for claim, verdict in first["validated"].items():
        yield f"validate {claim}", verdict, run["validated"][claim]
    for case, found in first["compared"].items():
        for claim, verdict in found["verdicts"].items():
            here = run["compared"][case]["verdicts"][claim]
            yield f"compare {case}: {claim}", verdict, here


def _numbers(first: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple]:
    """Yield pairs of [value, error] of the same quantity: of comparisons and of drawn instances."""
    for case, found in first["compared"].items():
        here = run["compared"][case]
        for claim, verdict in found["verdicts"].items():
            a, b = (_worst(v) for v in (verdict, here["verdicts"][claim]))
            yield f"compare {case}: {claim}", a, b
        for quantity in (name for name in found["at"] if name in here["at"]):
            a, b = found["at"][quantity], here["at"][quantity]
            yield f"compare {case}: {quantity} at one time", a, b
    for where, listed in first["instances"].items():
        others = run["instances"][where]
        if len(others) != len(listed):
            raise ValueError(f"{where}: {len(listed)} and {len(others)} instances")
        for k, (a, b) in enumerate(zip(listed, others, strict=True)):
            yield f"validate {where}, instance {k}", a, b


def _worst(verdict: Mapping[str, Any]) -> list[Any]:
    return [verdict["margin"], verdict["error"], verdict["time"]]


def same_time(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two margins [value, error, time] were read at one time, to rounding.

    A margin is the worst at the records of a run, and its error is that at this record.  A run that
    was steered by its steps has other records where rounding is another.
    """
    first, second = (x[2] if len(x) > 2 else 0.0 for x in (a, b))
    return abs(first - second) <= 16 * np.finfo(float).eps * abs(first)


def measured(value: Sequence[float]) -> bool:
    """Whether a margin is known to the thousandth of its scale that verdicts ask for."""
    return bool(np.isfinite(value[0]) and value[1] <= RESOLVED)


def ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the difference of two margins over the sum of their errors; at most 1 if both hold."""
    if a[0] == b[0]:
        return 0.0
    return abs(a[0] - b[0]) / (a[1] + b[1]) if a[1] + b[1] > 0 else math.inf


# ----------------------------------------------------------------------------------------- tell


def block(content: Mapping[str, Any]) -> str:
    """Return the block of the page, marks included."""
    return "\n".join(["<!-- platforms -->", *_lines(content), "<!-- end -->"])


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    reference, runs = content["reference"], content["runs"]
    yield f"Reference: {_environment(reference)}."
    yield ""
    yield (
        "| NumPy | SciPy | Python | OpenBLAS kernel | Threads | Verdicts | Other | Margins "
        "| Largest | Beyond | Elsewhen | Unmeasured |"
    )
    yield "|" + 12 * "---|"
    for run in runs:
        yield "| " + " | ".join(_row(run)) + " |"
    yield ""
    worst = max(runs, key=lambda run: run["largest"]["ratio"])["largest"]
    (x, first, *_), (y, second, *_) = worst["reference"], worst["here"]
    yield (
        f"The largest is that of “{worst['where']}”: {x:.10g} ± {first:.2g} against "
        f"{y:.10g} ± {second:.2g}."
    )


def _row(run: Mapping[str, Any]) -> list[str]:
    versions = run["versions"]
    return [
        versions["numpy"],
        versions["scipy"],
        _python(run),
        f"{run['kernel']} ({run['instructions']})",
        str(run["threads"]),
        f"{run['verdicts']:,}",
        str(len(run["differing"])),
        f"{run['margins']:,}",
        f"{run['largest']['ratio']:.2g}",
        str(len(run["beyond"])),
        f"{run['elsewhen']:,} ({len(run['moved'])})",
        f"{run['unmeasured']:,}",
    ]


def _environment(run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    threads = "1 thread" if run["threads"] == 1 else f"{run['threads']} threads"
    kernel = f"{run['kernel']} kernels ({run['instructions']})"
    return f"Python {_python(run)}, {versions}, {kernel}, {threads}, {run['finished']}"


def _python(run: Mapping[str, Any]) -> str:
    return run["python"] + (" free-threaded" if run["free_threaded"] else "")


def page(content: Mapping[str, Any]) -> str:
    """Return what the page should say."""
    return BLOCK.sub(lambda _: block(content), PAGE.read_text("utf-8"))


def main(arguments: Sequence[str]) -> None:
    """Measure, compare or tell."""
    if arguments[:1] == ["measure"]:
        Path(arguments[1]).write_text(json.dumps(measure()), encoding="utf-8")
    else:
        if arguments[:1] == ["compare"]:
            runs = [json.loads(Path(name).read_text("utf-8")) for name in arguments[1:]]
            DATA.write_text(
                json.dumps(compare(runs), indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )
        PAGE.write_text(page(json.loads(DATA.read_text("utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
