"""Theorem 2's two gradient flows side by side: the original and the compressed network."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from dlnlab import networks
from dlnlab.claims import assumption1, theorem2
from dlnlab.claims.verdict import Verdicts
from dlnlab.flow import verdicts as judged
from dlnlab.flow.compressed import CompressedFlow, Evaluation
from dlnlab.flow.integrate import checked_tolerance
from dlnlab.flow.network import OriginalNetwork
from dlnlab.flow.original import FITTED, METHODS, Coverage, OriginalFlow, chosen_method
from dlnlab.flow.question import Plan, asked, plan
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Factorization, factorization
from dlnlab.problems.targets import FactoredTarget
from dlnlab.results import presenter
from dlnlab.training.trajectory import Interrupted, Status, Trajectory

__all__ = ["LOOSEST", "MOST_RECORDS", "PATIENCE", "SHORTEST", "Comparison", "Pair", "compare"]

PATIENCE = 1e3
"""The default `t_end` in units of the time the compressed network takes.  Most random starts take 1
to 3 of them and end there; beside a saddle, or among nearly equal modes, some take a hundred."""

SHORTEST = 1e-100
"""Of the fastest mode's time; no number of the flow differs from that at t = 0 before."""

LOOSEST = 1e-3
"""The looser of the two runs still has to mean something."""


MOST_RECORDS = 10**6
"""More than a run has steps; each takes a matrix of the reduced network."""


class Pair(NamedTuple):
    """One quantity, measured on both networks.

    Attributes
    ----------
    original, compressed
        The quantity of W and that of W̃.
    """

    original: Any
    compressed: Any


@dataclass(frozen=True, repr=False)
class Comparison:
    """Both gradient flows of Theorem 2 on one time grid.

    Attributes
    ----------
    times : array, shape (records,)
    plan : Plan
        Which modes were asked about and why, and what that was predicted to take.
    coverage : Coverage
        Which part of the flow was seen: `until` what time, and whether that is the `whole`.
    original, compressed : Trajectory
        Errors ‖W − M*‖_F, losses, the leading singular values (as many as are needed to see
        min(r, r̂) fitted and one more) and alignments.  Their `weights` are the final ones in
        reduced coordinates; `matrices` rebuilds end-to-end matrices.
    margin : array, shape (records,)
        ‖W − M*‖_F² − ‖W̃ − M*‖_F², the margin of Theorem 2 as stated.
    margin_error : array, shape (records,)
        Bound on the numerical error of `margin`.
    original_error : array, shape (records,)
        Bound on the numerical error of W, as a Frobenius norm.
    residual : array, shape (records,)
        β(t)^L, the singular value of the compressed network in directions without a target.
    fitting_times, c_val, c_vec : Pair of arrays, shape (r,)
        t_i, and the suprema after t_i of (σ_i − σ_i*)² and of one minus the alignment
        (Assumption 1).
    verdicts : Verdicts, a dict of Verdict
        "proposition1", "assumption1", "theorem2", "theorem2_refined", "dominance".
    targets : array, shape (r,)
        σ_i*.
    settings : dict
        r_hat, depth, eps and everything else that was asked for.
    seconds : float
    """

    times: np.ndarray
    plan: Plan
    coverage: Coverage
    original: Trajectory
    compressed: Trajectory
    margin: np.ndarray
    margin_error: np.ndarray
    original_error: np.ndarray
    residual: np.ndarray
    fitting_times: Pair
    c_val: Pair
    c_vec: Pair
    verdicts: Verdicts
    targets: np.ndarray
    settings: dict[str, Any]
    seconds: float
    _flow: OriginalFlow = field(repr=False)

    @property
    def steps(self) -> np.ndarray:
        """Steps that the original network's integration took before each record."""
        return self.original.steps

    def plot(self, figure: Any = None) -> Any:
        """Draw errors, singular values, alignments and margin; return the Matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; a new one by default.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return presenter("plotting.display").shown_once(
            presenter("plotting").comparison, self, figure
        )

    def plot_assumption1(self, figure: Any = None) -> Any:
        """Draw the diagnostics of Assumption 1; return the Matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; a new one by default.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return presenter("plotting.display").shown_once(
            presenter("plotting").assumption1, self, figure
        )

    def constants(self) -> dict[str, float]:
        """Return Assumption 1's constants for the original network, of its worst mode.

        Returns
        -------
        dict
            "c_val", "c_vec" and "waiting" as in `dlnlab.claims.assumption1.Constants`, NaN unless
            every mode was fitted; "t_r", when the last one was, ``inf`` if never; "delay", that
            over the compressed network's, NaN if r̂ < r.
        """
        wide, narrow = (float(times[-1]) for times in self.fitting_times)
        return {
            "c_val": float(np.max(self.c_val.original)),
            "c_vec": float(np.max(self.c_vec.original)),
            "waiting": float(self.verdicts["assumption1"].witness["waiting"]),
            "t_r": wide,
            "delay": wide / narrow if np.isfinite(narrow) else float("nan"),
        }

    def summary(self) -> str:
        """Return a table of the outcome as text.

        Returns
        -------
        str
        """
        return presenter("report").comparison_text(self)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return presenter("report").comparison_html(self)

    def to_dict(self) -> dict[str, np.ndarray]:
        """Return all recorded arrays by name, for `numpy.savez` and the like.

        Returns
        -------
        dict of str to array
        """
        out = {
            "times": self.times,
            "targets": self.targets,
            "margin": self.margin,
            "margin_error": self.margin_error,
            "residual": self.residual,
        }
        for side in ("original", "compressed"):
            run = getattr(self, side)
            for name in (
                "errors",
                "losses",
                "singular_values",
                "left_alignments",
                "right_alignments",
            ):
                out[f"{side}_{name}"] = getattr(run, name)
            for name in ("fitting_times", "c_val", "c_vec"):
                out[f"{side}_{name}"] = getattr(getattr(self, name), side)
        return out

    def to_xarray(self) -> Any:
        """Return the recorded arrays as an `xarray.Dataset` with coordinates time, mode, network.

        Returns
        -------
        xarray.Dataset

        Raises
        ------
        ModuleNotFoundError
            If xarray is not installed.
        """
        try:
            import xarray
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "`to_xarray` needs xarray: pip install 'dlnlab[io]'"
            ) from error
        data: dict[str, Any] = {
            "margin": ("time", self.margin),
            "margin_error": ("time", self.margin_error),
            "residual": ("time", self.residual),
            "target": ("target_mode", self.targets),
        }
        layout = {
            "errors": ("time",),
            "losses": ("time",),
            "singular_values": ("time", "mode"),
            "left_alignments": ("time", "target_mode"),
            "right_alignments": ("time", "target_mode"),
        }
        for name, axes in layout.items():
            both = [getattr(run, name) for run in (self.original, self.compressed)]
            data[name] = (("network", *axes), np.stack(both))
        for name in ("fitting_times", "c_val", "c_vec"):
            data[name] = (("network", "target_mode"), np.stack(getattr(self, name)))
        coordinates = {
            "time": self.times,
            "network": ["original", "compressed"],
            "mode": np.arange(1, self.original.singular_values.shape[1] + 1),  # type: ignore[union-attr]
            "target_mode": np.arange(1, self.targets.size + 1),
        }
        attributes = {name: str(value) for name, value in self.settings.items()}
        return xarray.Dataset(data, coordinates, attributes)

    def matrices(self, record: int) -> Pair:
        """Rebuild both end-to-end matrices, shape (d_out, d_in), at one record.

        Parameters
        ----------
        record : int
            Which record, as an index of `times`.

        Returns
        -------
        Pair of arrays, shape (d_out, d_in)
            W_{L:1} and W̃_{L:1}.

        Raises
        ------
        ValueError
            If the original network was never formed (large factored targets), or they do not fit
            in memory.
        """
        record = checks.integer("record", record, -self.times.size, self.times.size - 1)
        full, r_hat = self._flow.network.full, self.settings["r_hat"]
        original = self._flow.network.matrix(self._flow.records.blocks[record])
        frames = networks.compressed_weights(full, r_hat, 2, 1.0)
        values = np.asarray(self.compressed.singular_values)[record, :r_hat]
        return Pair(original, (frames[1] * arrays.like(values, frames[1])) @ frames[0])


def compare(
    M: Array | FactoredTarget,
    r_hat: int | None = None,
    *,
    rank: int | str = "auto",
    depth: int = 3,
    eps: float = 1e-2,
    rng: np.random.Generator | int = 0,
    width: int | Sequence[int] | None = None,
    weights: Sequence[Array] | None = None,
    normalization: str = "sum",
    within: float = 0.05,
    t_end: float | None = None,
    rtol: float = 1e-12,
    method: str = "auto",
    max_steps: int | None = 100_000,
    num_records: int = 400,
    progress: Any = False,
    announce: Callable[[Plan], Any] | None = None,
) -> Comparison:
    """Run the gradient flows of the original and the compressed network side by side (Theorem 2).

    Parameters
    ----------
    M : array, shape (d_out, d_in), or FactoredTarget
        The target, on the host or a device, or a pandas or polars frame, a SciPy sparse array, a
        torch tensor; only the reduced network moves to the host.  Everything
        is computed in double precision.
    r_hat : int, optional
        r̂, between 1 and min(d_out, d_in); by default the number of modes asked about.  Below that
        it is an unmet premise, not an error.
    rank : {"auto", "full"} or int
        Number r of modes that are asked about: the target is cut there.  "full" takes all that
        stand out of rounding.  So does "auto" for a target of low rank, and for any other if it
        takes seconds only; else it finds a gap between singular values or takes 99.9 % of ‖M‖², at
        most r̂ modes (`dlnlab.flow.question`).  Where singular values fade away into rounding it
        takes those that grow from ε^L.  `Comparison.plan` tells which and why.
    depth, eps : int, float
        L ≥ 2 and ε.
    rng : numpy.random.Generator or int
        For the original network's start.  For a dense target the network is
        ``original_weights(M.shape, depth, eps, rng=rng, width=width)``; for a factored one of more
        than 1000 rows or columns it is drawn by `dlnlab.parsimony.reduce_random`, without forming a
        d × d matrix.
    width : int or sequence of ints, optional
        Hidden widths of the original network; min(M.shape) by default, the largest for which the
        start is balanced.  The paper's Eq. (4) has max(M.shape), to which no claim applies for a
        target that is not square.
    weights : sequence of L arrays, optional
        Another start for the original network, instead of `rng` and `width`.  Starts that are not
        orthogonal have no exact reduction and are integrated in full.
    normalization : {"sum", "mean"}
        See `dlnlab.factorization`.
    within : float
        A singular value counts as fitted within this fraction of its target.
    t_end : float, optional
        Latest time; by default 1000 times what the compressed network needs.  The comparison ends
        before, once the original network has fitted the target.
    rtol, max_steps
        As in `gradient_flow`.
    method : {"auto", "DOP853", "RK45", "stiff"}
        By default two balanced layers are evaluated in closed form, and all other networks are
        integrated by DOP853.
    num_records : int
        About how many records to keep besides those around every t_i; a short run takes fewer.
    progress : bool or callable
        True shows a bar; a callable gets (done, total, loss), done being about how many of the
        modes are learned.
    announce : callable, optional
        Given the `Plan` before the work starts.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    Interrupted
        On Ctrl-C; its `run` is the comparison as far as it came.

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((40, 40), 2, rng=0)
    >>> c = dlnlab.flow.compare(M, 2, eps=0.05)
    >>> c.verdicts["theorem2_refined"].status, c.verdicts["theorem2"].status
    ('conditional', 'not applicable')
    >>> bool((c.margin > -c.margin_error).all())
    True
    """
    started = time.monotonic()
    problem = factorization(_target(M), normalization)
    if r_hat is not None:
        r_hat = checks.integer("r_hat", r_hat, 1, min(problem.shape))
    eps, depth = checks.start(eps, depth)
    within = checks.share("within", within)
    rtol = checked_tolerance(rtol, LOOSEST)
    checks.choice("method", method, METHODS)
    budget = math.inf if max_steps is None else checks.integer("max_steps", max_steps, 1)
    num_records = checks.integer("num_records", num_records, 10)
    if num_records > MOST_RECORDS:
        raise ValueError(
            f"`num_records` must be an integer >= 10 and at most {MOST_RECORDS}, got {num_records}"
        )
    checks.random_source("rng", rng)
    seed = int(rng) if isinstance(rng, numbers.Integral) else "generator"
    if announce is not None:
        checks.function("announce", announce, "a callable announce(plan)", 1)
    modes, of, why = asked(problem, rank, r_hat, depth, eps)
    problem = _cut(problem, modes)
    width = min(problem.shape) if width is None else width
    network = OriginalNetwork(problem, depth, eps, rng, width, weights)
    units = network.units
    how = chosen_method(method, network)
    work = plan(problem, modes, of, why, depth, how, network.weights[0].shape[1])
    r_hat = modes if r_hat is None else r_hat
    sigma = np.asarray(network.problem.target.s)
    law = CompressedFlow(sigma, r_hat, depth, network.eps, 1.0)
    end = PATIENCE * law.horizon(FITTED) if t_end is None else _canonical(t_end, units.time)
    if announce is not None:
        announce(work)
    flow = OriginalFlow(
        network,
        law,
        end,
        rtol,
        num_records,
        within=within,
        method=how,
        max_steps=budget,
        progress=progress,
    )
    settings = {
        "shape": problem.shape,
        "rank": sigma.size,
        "r_hat": r_hat,
        "depth": depth,
        "eps": eps,
        "width": width,
        "seed": seed if weights is None else "weights given",
        "normalization": normalization,
        "within": within,
        "t_end": float(units.time * end),
        "rtol": rtol,
        "method": flow.method,
        "max_steps": max_steps,
        "num_records": num_records,
        "reduced_dimension": network.weights[0].shape[1],
        "trapped": (network.trapped + 1).tolist(),
    }
    c = _assemble(flow, law.at(flow.times), within, work, settings, started)
    if flow.status is Status.INTERRUPTED:
        raise Interrupted(c) from None
    return c


def _canonical(t_end: Any, unit: float) -> float:
    """Return t_end in units of 1/(c σ_1*^{2−2/L}), if that is a time and not nothing."""
    end = checks.positive("t_end", t_end) / unit
    if end < SHORTEST:
        raise ValueError(
            f"`t_end` must be at least {SHORTEST:g} of 1/(c σ_1*^(2 - 2/depth)) = {unit:g}, got "
            f"{t_end:g}"
        )
    return end


def _cut(problem: Factorization, rank: int) -> Factorization:
    """The problem with the leading modes of its target only."""
    U, s, Vh = problem.target_svd
    if rank == s.shape[0]:
        return problem
    leading = FactoredTarget(U[:, :rank], s[:rank], Vh[:rank, :])
    return factorization(leading, problem.normalization)


def _target(M: Any) -> Any:
    """The target in double precision."""
    factored = isinstance(M, FactoredTarget)
    if not factored:
        M = checks.matrix("M", checks.dense("M", M), ndim=2)
        if not bool(arrays.namespace(M).any(M != 0)):
            raise ValueError("`M` must not be the zero matrix: it has no singular vectors to fit")
    target = _in_double(M)
    checks.require_double("M", *((M.U, target.U) if factored else (M, target)))
    return target


def _assemble(
    flow: OriginalFlow,
    law: Evaluation,
    within: float,
    work: Plan,
    settings: dict[str, Any],
    started: float,
) -> Comparison:
    """Evaluate both networks on the grid, judge the claims, and return to the user's units."""
    sigma, units, records = law.law.targets, flow.network.units, flow.records
    count = judged.shown(flow.network.full.shape, law.law)
    runs = Pair(flow.trajectory(count), law.trajectory(count))
    learned = [_assumption(run, sigma, within) for run in runs]
    first, second = records["errors"], law.errors()
    margin_error = theorem2.margin_error(
        first, second, flow.error, law.matrix_rounding(), max(flow.network.problem.shape)
    )
    square = units.matrix * units.matrix
    fitted = Pair(learned[0].fitting_times, law.law.fitting_times(within))
    return Comparison(
        times=units.time * law.times,
        plan=work,
        coverage=flow.coverage._replace(until=units.time * flow.coverage.until),
        original=units.applied(runs.original),
        compressed=units.applied(runs.compressed),
        margin=square * theorem2.margins(first, second),
        margin_error=square * margin_error,
        original_error=units.matrix * flow.error,
        residual=units.matrix * law.residual,
        fitting_times=Pair(*(units.time * t for t in fitted)),
        c_val=Pair(*(square * constants.c_val for constants in learned)),
        c_vec=Pair(*(constants.c_vec for constants in learned)),
        verdicts=judged.verdicts(flow, law, learned[0], margin_error),
        targets=units.matrix * sigma,
        settings=settings,
        seconds=time.monotonic() - started,
        _flow=flow,
    )


def _assumption(run: Trajectory, sigma: np.ndarray, within: float) -> assumption1.Constants:
    values = np.asarray(run.singular_values)[:, : sigma.size]
    left, right = np.asarray(run.left_alignments), np.asarray(run.right_alignments)
    return assumption1.measure(run.times, values, left, right, sigma, within)


def _in_double(target: Any) -> Any:
    """Return a dense or factored target in double precision, of the rank it has in its own.

    The rounding of single-precision entries would count as small singular values in double
    precision, so a dense matrix is cut at its own rank; single-precision factors are orthonormal to
    single precision only, so they are decomposed anew.
    """
    factored = isinstance(target, FactoredTarget)
    reference = target.U if factored else target
    xp = arrays.namespace(reference)
    if reference.dtype == xp.float64:
        return target
    if not factored:
        U, s, Vh = xp.linalg.svd(xp.astype(target, xp.float64), full_matrices=False)
        rank = spectra.numerical_rank(xp.astype(s, target.dtype), target.shape)
        return (U[:, :rank] * s[:rank]) @ Vh[:rank, :]
    U, s, Vh = (xp.astype(part, xp.float64) for part in target.svd)
    (Q, left), (P, right) = xp.linalg.qr(U), xp.linalg.qr(Vh.mT)
    inner = xp.linalg.svd((left * s) @ right.mT)
    return FactoredTarget(Q @ inner[0], inner[1], inner[2] @ P.mT)
