"""Gauge: descent from a start and from the turned start, for every kind of problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab import gradient_descent, networks
from dlnlab.claims import Premise, gauge
from dlnlab.lab import search, strategies
from dlnlab.lab.cases import EPS, Frame
from dlnlab.lab.recoveries import KINDS, Recovery, random_recovery
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = [
    "ALPHAS",
    "DECAYS",
    "DIGITS",
    "INITS",
    "OUTSIDE",
    "PLAIN",
    "SHARE",
    "STEPS",
    "SUITE",
    "Turn",
    "TurnedDescents",
    "descend",
]

STEPS = 30
SHARE = 0.2
"""Step size in units of 2/λ, λ being the largest curvature at the start or at a fitted target."""

DIGITS = 1e-6
ALPHAS = (1.0, 0.5, 2.0)
DECAYS = (0.0, 0.05)
"""Weight decay in units of λ."""

INITS = ("orthogonal", "gaussian")
PLAIN = ("eps", "seed", "init", "alpha", "decay", "stretch", "canonical")
"""What a witness repeats as it is."""


@dataclass(frozen=True)
class Turn:
    """A problem, the start of a network, and the turns of its hidden spaces.

    Attributes
    ----------
    recovery : Recovery
    turns : tuple of L − 1 Frames
        G_1, …, G_{L−1}; their sizes are the hidden widths.
    eps : float
    seed, init
        As in `dlnlab.original_weights`.
    alpha, decay : float
        α, and the weight decay in units of λ.
    stretch : float
        What G_1 is multiplied by; 1 unless the premise is to fail.
    canonical : bool
        Whether the other start is (εI, …, εI, εQ) and the turns are those that lead to it; `turns`
        then say no more than the widths, which must be that of the input.
    """

    recovery: Recovery
    turns: tuple[Frame, ...]
    eps: float = 0.5
    seed: int = 0
    init: str = "orthogonal"
    alpha: float = 1.0
    decay: float = 0.0
    stretch: float = 1.0
    canonical: bool = False

    @property
    def depth(self) -> int:
        """Depth L of the network."""
        return len(self.turns) + 1

    def weights(self) -> networks.Weights:
        """Return the layers of the start.

        Returns
        -------
        tuple of arrays
            W_1, …, W_L.
        """
        width = [frame.size for frame in self.turns]
        return networks.original_weights(
            self.recovery.shape, self.depth, self.eps, rng=self.seed, init=self.init, width=width
        )

    def matrices(self, weights: networks.Weights) -> tuple[np.ndarray, ...]:
        """Return the turns of the hidden spaces.

        Parameters
        ----------
        weights : tuple of arrays
            The layers of the start.

        Returns
        -------
        tuple of arrays
            G_1, …, G_{L−1}.
        """
        if self.canonical:
            return gauge.canonical_turns(weights)
        first, *others = (frame.matrix for frame in self.turns)
        return (self.stretch * first, *others)

    def witness(self) -> dict[str, Any]:
        """Return everything that is needed to build the instance again.

        Returns
        -------
        dict
        """
        told = {name: getattr(self, name) for name in PLAIN}
        turns = [frame.readable() for frame in self.turns]
        width = [frame.size for frame in self.turns]
        return self.recovery.witness() | told | {"width": width, "turns": turns}

    @classmethod
    def from_witness(cls, witness: Mapping[str, Any]) -> Turn:
        """Build an instance again from its witness.

        Parameters
        ----------
        witness : mapping
            What `witness` returned; further keys do not matter.

        Returns
        -------
        Turn
        """
        pairs = zip(witness["width"], witness["turns"], strict=True)
        turns = tuple(Frame.from_readable(n, frame) for n, frame in pairs)
        told = {name: witness[name] for name in PLAIN}
        return cls(Recovery.from_witness(witness), turns, **told)


@dataclass(frozen=True)
class TurnedDescents:
    """Gradient descent from a start and from the turned start.

    Attributes
    ----------
    layers, others : tuple of L arrays, shapes (records, d_l, d_{l−1})
        The iterates from the start and from the turned one, which has fewer if it diverged.
    turns : tuple of L − 1 arrays
        G_l.
    losses : tuple of two arrays, shape (records,)
        ℓ of `layers`, and of `layers` turned.
    scale : array, shape (records,)
        What the losses' difference is relative to.
    error, loss_error : float
        Bounds on the rounding of the deviations.
    premises : tuple of Premise
    """

    layers: networks.Weights
    others: networks.Weights
    turns: tuple[np.ndarray, ...]
    losses: tuple[np.ndarray, np.ndarray]
    scale: np.ndarray
    error: float
    loss_error: float
    premises: tuple[Premise, ...]

    @property
    def whole(self) -> bool:
        """Whether both runs recorded all steps."""
        return len(self.layers[0]) == len(self.others[0])


class _TurnedRun:
    """Gradient descent of one instance from several starts, and its rounding."""

    def __init__(self, turn: Turn, weights: networks.Weights) -> None:
        self.turn, self.problem = turn, turn.recovery.problem()
        depth, curvature = turn.depth, self.problem.curvature
        reach = max(float(np.linalg.norm(W, 2)) for W in weights)
        reach = max(reach, turn.recovery.spectrum[0] ** (1 / depth))
        stiffness = curvature * depth * reach ** (2 * depth - 2)
        self.eta, self.decay = SHARE * 2 / stiffness, turn.decay * stiffness

    def layers(self, weights: networks.Weights) -> networks.Weights:
        """The iterates from a start, record by record."""
        run = gradient_descent(
            self.problem,
            weights,
            eta=self.eta,
            alpha=self.turn.alpha,
            weight_decay=self.decay,
            num_steps=STEPS,
            record=("layers",),
            formulation="full",
        )
        assert run.layers is not None  # asked for
        return run.layers

    def operations(self) -> int:
        """Units of rounding in a step: the sums behind an entry, ten times over.

        The factor covers both runs, the turn itself, whose matrices are orthogonal to a few units
        per dimension, and step sizes that differ between the layers.
        """
        A, _, _ = self.turn.recovery.measurements()
        return 10 * (sum(frame.size for frame in self.turn.turns) + A[0].size + len(A))

    def rounding(self, layers: networks.Weights) -> float:
        """The bound of `gauge.rounding` for these iterates."""
        gradients = self.problem.gradient(networks.prefix_products(layers)[-1])
        terms = self.turn.recovery.absolute_sum(_product_of_norms(layers))
        fastest = self.eta * max(self.turn.alpha, 1.0)
        curvature = self.problem.curvature
        return gauge.rounding(
            layers, gradients, terms, fastest, curvature, self.decay, self.operations()
        )


def descend(turn: Turn) -> TurnedDescents:
    """Run gradient descent from the start and from the turned start.

    Parameters
    ----------
    turn : Turn

    Returns
    -------
    TurnedDescents

    Raises
    ------
    ValueError
        If the turned start is to be canonical and a hidden space has not the size of the input.
    """
    weights, premises = turn.weights(), []
    if turn.canonical:
        if any(frame.size != turn.recovery.shape[1] for frame in turn.turns):
            raise ValueError("`turn` must have hidden spaces of the size of the input")
        premises.append(gauge.orthogonal_layers(weights))
    turns = turn.matrices(weights)
    other = gauge.canonical(weights) if turn.canonical else gauge.turned(weights, turns)
    run = _TurnedRun(turn, weights)
    layers = run.layers(weights)
    first, second = (
        run.problem.loss(networks.prefix_products(W)[-1])
        for W in (layers, gauge.turned(layers, turns))
    )
    return TurnedDescents(
        layers,
        run.layers(other),
        turns,
        (first, second),
        turn.recovery.absolute_loss(_product_of_norms(layers)),
        run.rounding(layers),
        run.operations() * EPS,
        (*premises, gauge.orthogonal_turns(turns)),
    )


def _attack(tally: Tally, turn: Turn) -> float:
    """Count one instance: the iterates, and the losses on the way; return how bad it is."""
    run, told = descend(turn), turn.witness() | {"steps": STEPS}
    digits = Premise("digits left", "rounding grows to 1e-6 at most", 1 - run.error / DIGITS)
    premises = [*run.premises, digits]
    margin = gauge.margins(run.layers, run.others, run.turns) if run.whole else -np.inf
    tally.add(margin, run.error, premises, lambda: told | {"part": "iterates"})
    same = gauge.loss_margins(*run.losses, run.scale)
    tally.add(same, run.loss_error, run.premises, lambda: told | {"part": "loss"})
    return -min(margin, same) if all(premise.met for premise in run.premises) else -np.inf


def _product_of_norms(layers: networks.Weights) -> np.ndarray:
    """∏ ‖W_l‖_F, which bounds W_{L:1} also if every entry is replaced by its absolute value."""
    return np.prod([np.linalg.norm(W, axis=(-2, -1)) for W in layers], axis=0)


@st.composite
def _turns(draw: Any) -> Turn:
    """Draw an instance in readable form."""
    recovery = draw(strategies.recoveries(values=(1.0, 0.5, 2.0)))
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    turns = tuple(draw(strategies.frames(n)) for n in widths)
    return Turn(
        recovery,
        turns,
        draw(st.sampled_from((0.5, 0.1, 1.0))),
        draw(st.integers(0, 99)),
        draw(st.sampled_from(INITS)),
        draw(st.sampled_from(ALPHAS)),
        draw(st.sampled_from(DECAYS)),
    )


def _random_turn(rng: np.random.Generator, kind: str, *, canonical: bool = False) -> Turn:
    """Draw an instance of one kind of problem with uniformly random turns."""
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    if canonical:
        shape = (min(shape), max(shape))
    depth = int(rng.integers(2, 6))
    sides = [shape[1]] * (depth - 1) if canonical else rng.integers(1, 7, depth - 1).tolist()
    return Turn(
        random_recovery(rng, kind, shape),
        tuple(Frame(n, (), int(rng.integers(0, 2**31))) for n in sides),
        float(rng.uniform(0.1, 1.1)),
        int(rng.integers(0, 2**31)),
        "orthogonal" if canonical else str(rng.choice(INITS)),
        float(rng.choice(ALPHAS)),
        float(rng.choice(DECAYS)),
        canonical=canonical,
    )


OUTSIDE = (
    Turn(Recovery(Frame(2), (1.0, 0.5), Frame(2)), (Frame(2),), stretch=1.5),
    Turn(Recovery(Frame(2), (1.0, 0.5), Frame(2)), (Frame(2),), init="gaussian", canonical=True),
)
"""A turn that is none, and a start with no canonical form: their premises must be found unmet."""


def _random(tally: Tally, task: Task) -> None:
    """Descent from random starts and from the turned ones, for every kind of problem."""
    rng = task.rng
    for number in range(task.count):
        _attack(tally, _random_turn(rng, KINDS[number % len(KINDS)]))


def _canonical(tally: Tally, task: Task) -> None:
    """Descent from random orthogonal starts and from (εI, …, εI, εQ), for every kind of problem."""
    rng = task.rng
    for number in range(task.count):
        _attack(tally, _random_turn(rng, KINDS[number % len(KINDS)], canonical=True))


def _outside(tally: Tally, task: Task) -> None:
    """A turn that is not orthogonal, and a start that is not, which has no canonical form."""
    for turn in OUTSIDE:
        _attack(tally, turn)


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation, over masks, ensembles and turns of small integers."""
    search.climb(_turns(), lambda turn: _attack(tally, turn), examples=task.count, seed=task.seed)


SUITE = Suite(
    gauge.CLAIM,
    {
        "random": Part(_random),
        "canonical": Part(_canonical),
        "outside": Part(_outside, share=0.0, most=None),
        "climb": Part(_climb, most=500, search=True),
    },
)


def test_gauge() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    outside = verdict.witness["outside_the_premises"]
    assert {"orthogonal turns", "orthogonal layers"} <= set(outside["unmet"])
    assert outside["worst_margin"] < -0.01
