"""Functions for campaigns to run; worker processes import them from here."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from dlnlab import campaigns


def draw(configuration):
    """Return random numbers, a sum that depends on the order of additions, and what JSON lacks."""
    rng = np.random.default_rng(configuration["seed"])
    numbers = rng.standard_normal((40, 40))
    product = numbers @ numbers
    return {
        "sum": float(product.sum()),
        "few": tuple(product[0, :3].tolist()),
        "infinite": float("inf"),
        "threads": os.environ.get("OPENBLAS_NUM_THREADS"),
    }


def fail_on_odd(configuration):
    """Raise for odd numbers."""
    if configuration["n"] % 2:
        raise ZeroDivisionError("odd")
    return configuration


def log(configuration):
    """Write a line to a file, so that a test can count calls."""
    with open(configuration["log"], "a", encoding="utf-8") as file:
        file.write(json.dumps(configuration["n"]) + "\n")
    time.sleep(configuration.get("seconds", 0))
    return {"n": configuration["n"], "pid": os.getpid()}


def die_once(configuration):
    """Kill the worker the first time, if there is a "fuse" to burn."""
    fuse = configuration.get("fuse")
    if fuse and not Path(fuse).exists():
        Path(fuse).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return log(configuration)


def leave(configuration):
    """Leave the program for odd numbers."""
    if configuration["n"] % 2:
        sys.exit(3)
    return configuration


def die_at_three(configuration):
    """Kill the worker that gets the number three."""
    if configuration["n"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return configuration


def die(configuration):
    """Kill the worker, always."""
    os.kill(os.getpid(), signal.SIGKILL)


def climb(configuration):
    """Count to three, a step each time it is begun, and fail on the way."""
    state = campaigns.state_file("height")
    if state is None:
        return {"height": 0}
    height = int(state.read_text()) + 1 if state.exists() else 1
    state.write_text(str(height))
    if height < 3:
        raise OSError("slipped")
    return {"height": height}
