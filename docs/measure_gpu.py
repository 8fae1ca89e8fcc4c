"""Measure what there is to measure on a GPU, in ten minutes, and continue where that ended.

    python docs/measure_gpu.py --out gpu_run.json            on a machine with a GPU and CuPy
    python docs/measure_gpu.py --out gpu_run.json            again: only what is not there yet
    python docs/measure_gpu.py --out try.json --device cpu   that everything runs; times mean little

Every step is a process of its own, in the order of what is wanted most: training steps of the
classifiers against torch, the engine's tests on CuPy, then the rows of ``dlnlab bench``, one
network and as many as fill the chip.  Its result is in the file as soon as it is known, so that a
run that is cut off, by its budget or by the machine's end, has lost one step at most.  A step that
failed is told and tried again the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dlnlab.bench import ROWS

ROOT = Path(__file__).parent.parent
FIRST = ("sensing-wide", "sensing-compressed", "completion-wide", "completion-compressed")
LEFT_OUT = ("notebook", "movielens", "completion-wide-stack", "completion-compressed-stack")
"""Whole runs, sparse products, and stacks that the batches that fill the chip stand for."""

LEAST = 15.0
"""Seconds that must be left for another step to be worth its start."""


class Step(NamedTuple):
    """One process.

    Attributes
    ----------
    name : str
    command : list of str
    environment : dict
        Beside that of this process.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str] = MappingProxyType({})


def steps(device: str, result: Path) -> Iterator[Step]:
    """Yield all steps, those that are wanted most first; each writes its result to a file."""
    for precision in ("float32", "tf32", "float64"):
        for case in ("mlp", "vit"):
            settings = {"CUPY_TF32": "1"} if precision == "tf32" else {}
            arguments = [__file__, "--step", case, precision, "--device", device]
            command = [sys.executable, *arguments, "--out", str(result)]
            yield Step(f"{case} {precision}", command, settings)
    yield Step(
        "tests", [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    )
    quick = ["--quick"] if device == "cpu" else []
    for row in (*FIRST, *(row for row in ROWS if row not in (*FIRST, *LEFT_OUT))):
        command = [sys.executable, "-m", "dlnlab", "bench", row, "--device", device, *quick]
        yield Step(row, [*command, "--json", str(result)])


def carry_out(step: Step, result: Path, seconds: float) -> dict[str, Any]:
    """Return what a step found; raise RuntimeError if it failed or took longer."""
    result.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            step.command,
            cwd=ROOT,
            env={**os.environ, **step.environment},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError("the time was over") from None
    if step.name == "tests" and done.returncode in (0, 1, 5):  # 5: all were left out
        counts = re.findall(r"(\d+) (passed|failed|skipped|deselected|error)", done.stdout)
        return {kind: int(count) for count, kind in counts}
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip()[-500:])
    return json.loads(result.read_text("utf-8"))


def classifier(case: str, precision: str, device: str, out: Path) -> None:
    """Measure one training step in this process; on the host a small model's."""
    import numpy as np

    from dlnlab import nets
    from dlnlab.bench import classifiers
    from dlnlab.numerics import arrays

    one, reference = classifiers.CASES[case], np.empty(0)
    seconds = 1.0
    if device == "gpu":
        reference = arrays.gpu_reference()
    else:
        small = {
            "mlp": nets.mlp(20, 16, 3, "dln"),
            "vit": nets.vit((8, 8, 3), 4, 16, 2, 2, 24, 3, "dln"),
        }
        one, seconds = classifiers.ClassifierCase("small", small[case], 16), 0.02
    found = classifiers.measure(case, one, precision, reference, seconds)
    out.write_text(json.dumps(found.to_dict()), encoding="utf-8")


def keep(out: Path, found: dict[str, Any]) -> None:
    """Replace the file as a whole, so that one that is cut off is never half written."""
    new = out.with_name(out.name + ".new")
    new.write_text(json.dumps(found, indent=1), encoding="utf-8")
    new.replace(out)


def main(arguments: list[str] | None = None) -> int:
    """Carry out what is not in the file yet, as far as the time goes; return what is left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.step:
        classifier(*args.step, args.device, args.out)
        return 0
    end = time.monotonic() + 60 * args.minutes
    found = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    left = 0
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        for step in steps(args.device, result):
            seconds = end - time.monotonic()
            if step.name in found:
                continue
            if seconds < LEAST:
                left += 1
                continue
            try:
                found[step.name] = carry_out(step, result, seconds)
            except RuntimeError as error:
                left += 1
                print(f"{step.name}: {error}", flush=True)
                continue
            keep(args.out, found)
            print(f"{step.name}: done, {max(end - time.monotonic(), 0):.0f} s left", flush=True)
    print(f"{len(found)} steps are in {args.out}, {left} are left.")
    return left


if __name__ == "__main__":
    raise SystemExit(1 if main() else 0)
