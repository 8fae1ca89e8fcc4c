"""The measurement that most figures share: the original and the compressed network, side by side.

The figures show the recovery error in different units: the paper's text has ‖W − M*‖_F, its
authors' notebooks half the mean square over all entries (factorization) or over the unobserved ones
(completion), and ‖W − M*‖_F/‖M*‖_F (sensing).  A quantity that has a unit has it in its name
("start_half_mse"), so that no reading can print one unit under another's name; quantities compared
with a claim are ratios of ‖W − M*‖_F.  Curves are in the unit that the figure was published in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.experiments.instance import Setup, build
from dlnlab.experiments.recovery import Curve, Network, Runs, descend, run, steps_to_end
from dlnlab.numerics import checks
from dlnlab.problems import Completion, Problem
from dlnlab.training.trajectory import Trajectory

__all__ = [
    "ERRORS",
    "NEEDED",
    "PARTS",
    "POINTS",
    "THRESHOLD",
    "errors_in",
    "measure",
    "measure_parts",
    "networks_of",
    "original_run",
    "ratio",
    "thinned",
]

THRESHOLD = 1e-3
"""The recovery error at which networks are compared, as a fraction of ‖M*‖_F: on the steep part of
every published curve, where the number of steps hardly depends on the level."""

NEEDED = (
    *("problem", "d", "rank", "target", "loss", "depth", "eps", "init", "outer", "r_hat"),
    *("eta", "alpha", "error", "num_steps", "tol", "record_every", "seed"),
)
"""What a configuration must say."""

PARTS = "a mapping from parts to the settings in which they differ"

ERRORS = ("frobenius", "relative", "half_mse", "half_mse_unobserved")
POINTS = 400
"""Records kept for a curve; more could not be told apart in a figure."""


@campaigns.task("dlnlab.experiments.pair.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run both networks on the instance of a configuration.

    Parameters
    ----------
    configuration : mapping
        Settings (see `dlnlab.experiments.instance.SETTINGS`), "seed", and optionally
        "singular_values", how many of them to keep.

    Returns
    -------
    dict
        "curves" of "original" and "compressed", each with "steps", "seconds", "loss", "error", and
        "singular_values"; "values" (see `_values_of`); "targets".

    Raises
    ------
    TypeError, ValueError
        If a setting is missing or out of range.
    """
    _check_settings(configuration, NEEDED)
    instance = build(configuration, configuration["seed"])
    runs = run(
        instance.problem,
        networks_of(instance, configuration),
        num_steps=configuration["num_steps"],
        tol=configuration["tol"],
        record_every=configuration["record_every"],
        num_singular_values=configuration.get("singular_values", 0),
    )
    targets = np.asarray(instance.problem.target_svd.s)[: configuration["rank"]]
    return {
        "curves": _curves(runs, configuration["error"]),
        "values": _values_of(runs),
        "targets": targets.tolist(),
    }


@campaigns.task("dlnlab.experiments.pair.measure_parts")
def measure_parts(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run both networks in several settings that belong to one figure.

    Parameters
    ----------
    configuration : mapping
        As for `measure`, with "parts": {name: settings that differ}.

    Returns
    -------
    dict
        As from `measure`, with the curves called "part: network" and the values "part: quantity";
        "excess", "gain" and "speedup" without a part are the worst of all parts.

    Raises
    ------
    TypeError, ValueError
        If a setting is missing or out of range.
    """
    _check_settings(configuration, ("parts",))
    for part in checks.instance("configuration['parts']", configuration["parts"], Mapping, PARTS):
        checks.instance("configuration['parts']", configuration["parts"][part], Mapping, PARTS)
    common = {name: value for name, value in configuration.items() if name != "parts"}
    joined: dict[str, Any] = {"curves": {}, "values": {}}
    for part, differing in configuration["parts"].items():
        result = measure(common | differing)
        for kind, content in joined.items():
            content.update({f"{part}: {name}": value for name, value in result[kind].items()})
    values = joined["values"]
    for quantity, worst in (("excess", np.max), ("gain", np.min), ("speedup", np.min)):
        parts = [values[f"{part}: {quantity}"] for part in configuration["parts"]]
        values[quantity] = float(worst(parts))
    return joined


def _check_settings(configuration: Any, needed: Sequence[str]) -> None:
    checks.instance("configuration", configuration, Mapping, "a mapping from settings to values")
    missing = [name for name in needed if name not in configuration]
    if missing:
        raise ValueError(f"`configuration` must have the settings {missing}, which are missing")


def networks_of(instance: Setup, settings: Mapping[str, Any]) -> dict[str, Network]:
    """Return the two networks; α acts on the compressed one only, as in Algorithm 1.

    Parameters
    ----------
    instance : Setup
    settings : mapping

    Returns
    -------
    dict
    """
    return {
        "original": Network(instance.original, settings["eta"]),
        "compressed": Network(instance.compressed, settings["eta"], settings["alpha"]),
    }


def errors_in(unit: str, problem: Problem, curve: Curve) -> np.ndarray:
    """Return the errors of a curve in another unit.

    Parameters
    ----------
    unit : {"frobenius", "relative", "half_mse", "half_mse_unobserved"}
    problem : Problem
        A completion problem for the last.
    curve : Curve

    Returns
    -------
    array, shape (records,)

    Raises
    ------
    TypeError, ValueError
        If there is no such unit.
    """
    checks.choice("error", unit, ERRORS)
    entries = problem.shape[0] * problem.shape[1]
    with np.errstate(over="ignore"):  # a run that diverged
        squares = np.asarray(curve.errors) ** 2
    if unit == "frobenius":
        return np.sqrt(squares)
    if unit == "relative":
        return np.sqrt(squares) / float(np.linalg.norm(problem.target_svd.s))
    if unit == "half_mse":
        return squares / (2 * entries)
    observed = float(np.sum(problem.mask))  # type: ignore[attr-defined]
    on_mask = 2 * curve.losses / problem.scale
    with np.errstate(invalid="ignore"):
        return np.maximum(squares - on_mask, 0) / (2 * (entries - observed))


def _steps_to_threshold(curve: Curve, norm: float) -> float:
    """Return after how many steps the error is below `THRESHOLD` for good, NaN if it diverged.

    Infinite if it never is; `norm` is ‖M*‖_F.
    """
    if curve.status == "diverged":
        return math.nan
    outside = np.flatnonzero(~(np.asarray(curve.errors) <= THRESHOLD * norm))
    if outside.size and outside[-1] + 1 >= curve.steps.size:
        return math.inf
    return float(curve.steps[outside[-1] + 1]) if outside.size else float(curve.steps[0])


def _units_of(problem: Problem) -> tuple[str, ...]:
    """Return the units that the recovery error has on a problem."""
    return ERRORS if isinstance(problem, Completion) else ERRORS[:-1]


def _values_of(runs: Runs) -> dict[str, float]:
    """Return the quantities that yardsticks refer to.

    "start_UNIT" and "floor_NETWORK_UNIT" are the first and last errors in each of `ERRORS`,
    "final_…" the last ones relative to ‖M*‖_F, "steps_to_threshold_…" the steps until the error is
    10⁻³‖M*‖_F, "end_…" the steps until `tol` (infinite if it was not reached).  "gain" and
    "speedup" are the ratios original to compressed of the steps and seconds to that threshold,
    "loss_of_compression" that of the final errors, compressed to original.  "beyond" is the largest
    σ_{r+1} of the original network relative to σ_r*, if singular values were kept; "excess" is the
    largest of ‖W̃ − M*‖_F/‖W − M*‖_F − 1 at equal steps.  Of a network that diverged there is only
    the start; all else is NaN.
    """
    norm = float(np.linalg.norm(runs.problem.target_svd.s))
    values: dict[str, float] = {}
    for name, curve in runs.curves.items():
        diverged = curve.status == "diverged"
        for unit in _units_of(runs.problem):
            errors = errors_in(unit, runs.problem, curve)
            values[f"start_{unit}"] = float(errors[0])
            values[f"floor_{name}_{unit}"] = math.nan if diverged else float(errors[-1])
        last = float(np.asarray(curve.errors)[-1])
        values[f"final_{name}"] = math.nan if diverged else last / norm
        values[f"steps_to_threshold_{name}"] = _steps_to_threshold(curve, norm)
        values[f"end_{name}"] = steps_to_end(curve.steps, curve.status)
    original, compressed = runs["original"], runs["compressed"]
    gain = ratio(values["steps_to_threshold_original"], values["steps_to_threshold_compressed"])
    values["gain"] = gain
    values["speedup"] = gain * original.seconds_per_step / compressed.seconds_per_step
    values["loss_of_compression"] = values["final_compressed"] / values["final_original"]
    values["excess"] = _excess(original, compressed)
    targets = np.asarray(runs.problem.target_svd.s)
    if original.singular_values is not None and original.singular_values.shape[1] > targets.size:
        largest = float(np.max(original.singular_values[:, targets.size]) / targets[-1])
        values["beyond"] = math.nan if original.status == "diverged" else largest
    return values


def ratio(above: float, below: float) -> float:
    """Return the ratio of two step counts; NaN if neither came so far, or one diverged.

    Parameters
    ----------
    above : float
    below : float

    Returns
    -------
    float
    """
    if math.isinf(below) and math.isfinite(above):
        return 0.0
    return above / below if math.isfinite(below) else math.nan


def _excess(original: Curve, compressed: Curve) -> float:
    """By how much the compressed network's error is ever the larger one, up to its end."""
    if "diverged" in (original.status, compressed.status):
        return math.nan
    steps = compressed.steps[compressed.steps <= original.steps[-1]]
    ours = np.interp(steps, compressed.steps, np.asarray(compressed.errors))
    theirs = np.interp(steps, original.steps, np.asarray(original.errors))
    return float(np.max(ours / theirs) - 1)


def _curves(runs: Runs, unit: str) -> dict[str, Any]:
    return {
        name: thinned(
            {
                "steps": curve.steps,
                "seconds": curve.steps * curve.seconds_per_step,
                "loss": curve.losses,
                "error": errors_in(unit, runs.problem, curve),
                "singular_values": curve.singular_values,
            }
        )
        for name, curve in runs.curves.items()
    }


def original_run(
    configuration: Mapping[str, Any], record: Sequence[str]
) -> tuple[Setup, Trajectory]:
    """Draw the instance of a configuration, and run its original network alone, with α = 1.

    Parameters
    ----------
    configuration : mapping
        Settings and "seed".
    record : sequence of str
        What to record.  In a reduction the layers are its own (`recovery.descend`).

    Returns
    -------
    (Setup, Trajectory)
    """
    instance = build(configuration, configuration["seed"])
    options = {name: configuration[name] for name in ("num_steps", "tol", "record_every")}
    network = Network(instance.original, configuration["eta"])
    return instance, descend(instance.problem, network, record=record, **options)[0]


def thinned(series: Mapping[str, Any]) -> dict[str, Any]:
    """Return series of equal length as lists, cut to `POINTS` evenly spread records.

    Parameters
    ----------
    series : mapping of str to array or None

    Returns
    -------
    dict
    """
    present = {name: np.asarray(value) for name, value in series.items() if value is not None}
    records = max(value.shape[0] for value in present.values())
    kept = np.unique(np.linspace(0, records - 1, min(records, POINTS)).round().astype(int))
    return {name: value[kept].tolist() for name, value in present.items()}
