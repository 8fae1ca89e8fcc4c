"""Gradient flows: `flow.compare` against a general solver that JAX compiles.

The peer is diffrax's eighth-order Dormand–Prince method with its step control, in double precision,
at the tolerances of the tighter of `compare`'s two runs, and saved at the same times.  It runs the
reduced network, which it would not know of by itself, and the network as it is.  It gives no bound
on its error, no closed form of the compressed network and no verdicts; `compare` is timed with all
of these.  What compilation takes is told apart: it is paid for every new shape.

Before anything is timed, the singular values of both must agree.  An ill-conditioned target has no
peer: an explicit method that does not take out the modes that have converged is limited to steps of
about 6/λ, λ = L σ_1*^(2−2/L), and would need millions.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dlnlab import flow, networks, problems
from dlnlab.bench import timing
from dlnlab.bench.literal import load_jax
from dlnlab.bench.timing import Sample
from dlnlab.flow.integrate import default_atol
from dlnlab.networks import Weights
from dlnlab.problems import targets
from dlnlab.reductions import parsimony

__all__ = [
    "AGREEMENT",
    "FLOWS",
    "RTOL",
    "FlowResult",
    "FlowRow",
    "SolverRun",
    "measure",
    "peer_run",
]

RTOL = 1e-12
"""Of the tighter run, and of the peer."""

AGREEMENT = 1e-5
"""How far singular values may be apart, σ_1* being 1: the peer interpolates between long steps, to
about a millionth where it was measured."""


@dataclass(frozen=True)
class FlowRow:
    """One comparison of the two flows.

    Attributes
    ----------
    title : str
    size, rank, depth : int
        d, r and L.
    eps : float
    condition : float
        σ_1/σ_r of the target; σ_1 = 1.
    has_peer : bool
        Whether the peer can run it.
    """

    title: str
    size: int
    rank: int
    depth: int
    eps: float
    condition: float
    has_peer: bool = True

    def target(self) -> np.ndarray:
        """Return the target.

        Returns
        -------
        array, shape (d, d)
        """
        values = np.geomspace(1.0, 1 / self.condition, self.rank)
        shape = (self.size, self.size)
        return np.asarray(targets.random_target(shape, self.rank, rng=0, singular_values=values))


FLOWS = {
    "flow": FlowRow("d = 100, r = 10, L = 3, ε = 1e-2, σ_1/σ_r = 10", 100, 10, 3, 1e-2, 10),
    "ill-conditioned": FlowRow(
        "d = 100, r = 3, L = 3, ε = 1e-3, σ_1/σ_r = 1e4", 100, 3, 3, 1e-3, 1e4, has_peer=False
    ),
}


@dataclass(frozen=True)
class SolverRun:
    """A run of diffrax, in seconds.

    Attributes
    ----------
    network : {"reduced", "as it is"}
    time : Sample
        Compiled.
    compilation : float
        The first call less a later one.
    steps : int
    deviation : float
        Of the singular values from the engine's.
    """

    network: str
    time: Sample
    compilation: float
    steps: int
    deviation: float


@dataclass(frozen=True)
class FlowResult:
    """A measured flow.

    Attributes
    ----------
    flow, title : str
    engine : Sample
        Seconds of `flow.compare`, all it does included.
    cpu : float
        Seconds of the processor for one call.
    steps : int
        Of the tighter of its two runs.
    limited : float
        Steps of 6/λ until its last record.
    peers : tuple of SolverRun
    """

    flow: str
    title: str
    engine: Sample
    cpu: float
    steps: int
    limited: float
    peers: tuple[SolverRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data.

        Returns
        -------
        dict
        """
        return asdict(self)


def measure(name: str, one: FlowRow, repeats: int = 5) -> FlowResult:
    """Check and time one flow.

    Parameters
    ----------
    name : str
    one : FlowRow
    repeats : int
        Turns; the network as it is takes so long that it is timed once.

    Returns
    -------
    FlowResult

    Raises
    ------
    ModuleNotFoundError
        If diffrax is not installed, and the flow has a peer.
    ValueError
        If the two do not agree.
    """
    M = one.target()
    start = networks.original_weights(M.shape, one.depth, one.eps, rng=0)

    def ours() -> flow.Comparison:
        return flow.compare(M, one.rank, depth=one.depth, eps=one.eps, weights=start, rtol=RTOL)

    found = ours()
    began = time.process_time()
    ours()
    cpu = time.process_time() - began
    full = problems.factorization(M)
    reduced = parsimony.reduce(full, start)
    pairs = {"reduced": (reduced.problem, reduced.weights), "as it is": (full, start)}
    peers = []
    calls: list[Callable[[], Any]] = [ours]
    for network, pair in pairs.items() if one.has_peer else ():
        run = peer_run(*pair, found.times)
        first = timing.clock(run)
        began = time.perf_counter()
        values, steps = run()
        again = time.perf_counter() - began
        deviation = _deviation(name, found, values)
        peers.append(
            SolverRun(network, Sample.of([again]), max(first - again, 0.0), steps, deviation)
        )
        if network == "reduced":
            calls.append(run)
    times = timing.alternate(calls, repeats).T
    peers[:1] = [replace(peer, time=Sample.of(times[1])) for peer in peers[:1]]
    limit = 6 / one.depth  # as σ_1* = 1
    return FlowResult(
        flow=name,
        title=one.title,
        engine=Sample.of(times[0]),
        cpu=cpu,
        steps=int(found.steps[-1]),
        limited=float(found.times[-1]) / limit,
        peers=tuple(peers),
    )


def _deviation(name: str, found: flow.Comparison, values: np.ndarray) -> float:
    """Return how far the peer's singular values are from the engine's."""
    kept = np.asarray(found.original.singular_values)
    theirs = np.linalg.svd(values, compute_uv=False)
    count = min(kept.shape[1], theirs.shape[1])
    deviation = float(np.max(np.abs(theirs[:, :count] - kept[:, :count])))
    if not deviation <= AGREEMENT:
        raise ValueError(f"{name}: the singular values of diffrax differ by {deviation:.1e}")
    return deviation


def peer_run(
    problem: Any, weights: Weights, times: np.ndarray
) -> Callable[[], tuple[np.ndarray, int]]:
    """Return diffrax's run of a network's flow.

    Parameters
    ----------
    problem : Factorization
    weights : tuple of L arrays, shapes (d_l, d_{l−1})
    times : array, shape (records,)

    Returns
    -------
    callable
        Gives W_{L:1} at these times, shape (records, d_out, d_in), and the number of steps.

    Raises
    ------
    ModuleNotFoundError
        If diffrax is not installed.
    """
    jax = load_jax()
    try:
        diffrax = importlib.import_module("diffrax")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("this needs diffrax: pip install 'dlnlab[bench]'") from None
    jnp = jax.numpy
    M = jnp.asarray(problem.entrywise()[1])
    control = diffrax.PIDController(rtol=RTOL, atol=default_atol(RTOL, problem, weights))

    def product(W: Any) -> Any:
        return jnp.linalg.multi_dot(W[::-1])

    def downhill(t: Any, W: Any, _: Any) -> Any:
        slopes = jax.grad(lambda layers: jnp.sum((product(layers) - M) ** 2) / 2)(W)
        return tuple(-slope for slope in slopes)

    @jax.jit
    def solve(start: Any) -> Any:
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(downhill),
            diffrax.Dopri8(),
            0.0,
            times[-1],
            None,
            start,
            saveat=diffrax.SaveAt(ts=jnp.asarray(times), fn=lambda t, W, _: product(W)),
            stepsize_controller=control,
            max_steps=None,
        )
        return found.ys, found.stats["num_steps"]

    layers = tuple(map(jnp.asarray, weights))

    def run() -> tuple[np.ndarray, int]:
        values, steps = jax.block_until_ready(solve(layers))
        return np.asarray(values), int(steps)

    return run
