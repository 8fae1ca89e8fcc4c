"""Faults for the validations to find; a validation may bring more of its own, as `FAULTS`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from dlnlab.validations import parsimony as attacks_parsimony

from dlnlab import networks
from dlnlab.claims import (
    Premise,
    assumption1,
    closed_form,
    corollary1,
    dominance,
    eq13,
    gauge,
    lemma1,
    proposition1,
    theorem1,
    theorem2,
)
from dlnlab.lab import blocks, dynamics
from dlnlab.lab.faults import MISSED, REFUTED, UNMET, Fault
from dlnlab.numerics import decompositions, spectra
from dlnlab.problems import Factorization, Problem, SampledCompletion
from dlnlab.reductions import modes, parsimony
from dlnlab.reductions.reduced import ReducedFactorization
from dlnlab.training.kernels import arithmetic, protocol


def after(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Change what a function returns."""
    return lambda right: lambda *args, **kwargs: change(right(*args, **kwargs))


def flow_with(change: Callable[..., tuple]) -> Callable[[Any], Any]:
    """Change (targets, eps, depth) of `modes.flow` and `modes.descent`."""

    def make(right: Any) -> Any:
        def flow(times: Any, targets: Any, eps: float, depth: int, **options: Any) -> Any:
            return right(times, *change(np.asarray(targets, float), eps, depth), **options)

        return flow

    return make


def descent_with(change: Callable[..., tuple]) -> Callable[[Any], Any]:
    """Change (targets, eps, depth, eta, alpha) of `modes.descent`."""

    def make(right: Any) -> Any:
        def descent(
            targets: Any, eps: float, depth: int, eta: float, num_steps: int, **options: Any
        ) -> Any:
            alpha = options.get("alpha", 1.0)
            targets, eps, depth, eta, alpha = change(targets, eps, depth, eta, alpha)
            return right(targets, eps, depth, eta, num_steps, **options | {"alpha": alpha})

        return descent

    return make


def stretched(run: Any) -> Any:
    """A compressed network whose last layer is too large."""
    return run.with_parts(layers=lambda: (*run.layers[:-1], 1.5 * run.layers[-1]))


def without_decay(applies: Callable[..., bool]) -> Callable[[Any], Any]:
    """A function that forgets its weight decay, for the arguments that `applies` says."""

    def make(right: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if applies(*args):
                options = options | {"weight_decay": 0.0}
            return right(*args, **options)

        return call

    return make


def decay_without_alpha(right: Any) -> Any:
    """Weight decay with an inner layer's step on every layer (the last one's, where L = 2)."""
    return lambda rates, decay: right([rates[min(1, len(rates) - 2)]] * len(rates), decay)


def uphill(right: Any) -> Any:
    """A step along the gradient of every layer but the first."""

    def descend(self: Any, layer: int, W: Any, D: Any, A: Any, gradient: Any) -> Any:
        self._steps = [-abs(step) for step in self._steps]
        return right(self, layer, W, D, A, gradient)

    return descend


def inverted_prefix(right: Any) -> Any:
    """A layer's gradient from a prefix product upside down."""

    def descend(self: Any, layer: int, W: Any, D: Any, A: Any, gradient: Any) -> Any:
        return right(self, layer, W, D, A[..., ::-1, :], gradient)

    return descend


def idle_directions_kept(right: Any) -> Any:
    """A lift that leaves the directions without a gradient at their initial value."""

    def lift(self: Any, weights: Any) -> Any:
        sizes, layers = [Z.shape[1] for Z in self.bases], []
        for W, start, after, before in zip(
            weights, self.weights, sizes[1:], sizes[:-1], strict=True
        ):
            corner = min(self.multiplicity, 1)
            if min(W.shape[-2] - after, W.shape[-1] - before) > corner:
                W = W.copy()
                W[..., after, before] = start[after, before]
            layers.append(W)
        return right(self, layers)

    return lift


def ascent(right: Any) -> Any:
    """The gradient with the wrong sign."""

    def backward(weights: Any, prefixes: Any, gradient: Any, out: Any = None) -> Any:
        return right(weights, prefixes, -gradient, out)

    return backward


def stale_prefix(right: Any) -> Any:
    """The last layer's gradient from the prefix product one layer too early."""

    def backward(weights: Any, prefixes: Any, gradient: Any, out: Any = None) -> Any:
        used = prefixes[: len(weights) - 1]
        stale = [prefixes[0], *used[:-1]]
        if len(used) == 1 or any(P.shape != S.shape for P, S in zip(used, stale, strict=True)):
            stale = [2 * P for P in used]
        return right(weights, stale, gradient, out)

    return backward


def scaled_start(power: float) -> Callable[[Any], Any]:
    """Layers with singular value ε^power."""

    def make(right: Any) -> Any:
        def start(shape_or_problem: Any, *args: Any, **kwargs: Any) -> Any:
            *args, eps = args
            return right(shape_or_problem, *args, eps**power, **kwargs)

        return start

    return make


def every_other_reversed(right: Any) -> Any:
    """Spectra of which one is in increasing order."""
    turn = itertools.count()
    return lambda W: right(W)[..., ::-1] if next(turn) % 2 else right(W)


def fewer_directions(right: Any) -> Any:
    """r̂ − 1 for r̂."""

    def start(problem: Any, r_hat: int, depth: int, eps: float) -> Any:
        weights = right(problem, r_hat, depth, eps)
        if r_hat == 1:
            return weights
        last = weights[-1].copy()
        last[..., :, -1] = 0.0
        return (*weights[:-1], last)

    return start


def swapped_frames(right: Any) -> Any:
    """U for V and V for U in the compressed start of a square problem."""

    def start(problem: Any, r_hat: int, depth: int, eps: float) -> Any:
        weights = right(problem, r_hat, depth, eps)
        if problem.shape[0] != problem.shape[1]:
            return weights
        return (weights[-1].mT, *weights[1:-1], weights[0].mT)

    return start


def always_met(right: Any) -> Any:
    """A premise that looks met everywhere."""

    def premise(*args: Any) -> Premise:
        found = right(*args)
        return Premise(found.name, found.statement, 0.0, 0.0)

    return premise


def residual_mode(right: Any) -> Any:
    """Modes without a target that decay twice as fast."""
    return lambda t, eps, depth, scale: right(2 * t, eps, depth, scale)


def turned_back(right: Any) -> Any:
    """W_{l+1} G_l for W_{l+1} G_lᵀ."""

    def turned(weights: Any, turns: Any) -> Any:
        layers = list(weights)
        for below, G in enumerate(turns):
            layers[below] = G @ layers[below]
            layers[below + 1] = layers[below + 1] @ G
        return tuple(layers)

    return turned


def product_reversed(right: Any) -> Any:
    """Q_1 ⋯ Q_L for Q_L ⋯ Q_1 in a square network."""

    def canonical(weights: Any) -> Any:
        layers = right(weights)
        if weights[-1].shape[0] != weights[-1].shape[1]:
            return layers
        return (*layers[:-1], layers[-1].T)

    return canonical


def vectors_with(change: Callable[..., tuple]) -> Callable[[Any], Any]:
    """Change U̇ and V̇, split into their parts inside and outside the span of U and of V."""

    def make(right: Any) -> Any:
        def vector_rates(U: Any, s: Any, Vh: Any, gradient: Any, depth: int) -> Any:
            left, other = right(U, s, Vh, gradient, depth)
            K, H = U.mT @ left, Vh @ other
            outside = left - U @ K, other - Vh.mT @ H
            K, H, factor = change(K, H, s[..., None, :], depth)
            return proposition1.VectorRates(
                U @ K + factor * outside[0], Vh.mT @ H + factor * outside[1]
            )

        return vector_rates

    return make


FAULTS = [
    Fault("lemma1", "one spectrum unsorted", REFUTED, lemma1.spectra, "singular_values",
          every_other_reversed),
    Fault("lemma1", "squares of the values", REFUTED, lemma1.spectra, "singular_values",
          after(np.square)),
    Fault("lemma1", "wrong sign", REFUTED, lemma1, "margins", after(np.negative)),
    Fault("corollary1", "compressed starts at √ε", REFUTED, networks, "compressed_weights",
          scaled_start(0.5)),
    Fault("corollary1", "wide starts at √ε", "same start", networks, "original_weights",
          scaled_start(0.5)),
    Fault("corollary1", "r̂ − 1 for r̂", REFUTED, networks, "compressed_weights", fewer_directions),
    Fault("corollary1", "U and V swapped", REFUTED, networks, "compressed_weights",
          swapped_frames),
    Fault("corollary1", "wrong sign", REFUTED, corollary1, "excess", after(np.negative)),
    Fault("theorem1", "ascent", REFUTED, arithmetic.Blas, "descend", uphill),
    Fault("theorem1", "prefix upside down", REFUTED, arithmetic.Blas, "descend", inverted_prefix),
    Fault("theorem1", "half the target", REFUTED, Factorization, "entrywise",
          lambda right: lambda self: (None, right(self)[1] / 2)),
    Fault("theorem1", "√ε for ε", REFUTED, modes, "descent",
          descent_with(lambda s, eps, depth, eta, a: (s, eps**0.5, depth, eta, a))),
    Fault("theorem1", "no α", REFUTED, modes, "descent",
          descent_with(lambda s, eps, depth, eta, a: (s, eps, depth, eta, 1.0))),
    Fault("theorem1", "no target", REFUTED, modes, "descent",
          descent_with(lambda s, eps, depth, eta, a: (0 * s, eps, depth, eta, a))),
    Fault("theorem1", "step size 2/(Lσ^{2−1/L})", REFUTED, theorem1, "largest_step",
          lambda right: lambda s, depth: right(s, depth) * s ** (-1 / depth)),
    Fault("theorem1", "U and V swapped", "spectral start", networks, "compressed_weights",
          swapped_frames),
    Fault("theorem1", "no weight decay", REFUTED, modes, "descent", without_decay(lambda *_: True)),
    Fault("theorem1", "weight decay without α", REFUTED, protocol, "shrinkage",
          decay_without_alpha),
    Fault("closed_form", "√ε for ε", REFUTED, modes, "flow",
          flow_with(lambda s, eps, depth: (s, eps**0.5, depth))),
    Fault("closed_form", "rate without L", REFUTED, modes, "_rate",
          lambda right: lambda s, depth, scale: right(s, depth, scale) / depth),
    Fault("closed_form", "fast residual", REFUTED, modes, "_residual", residual_mode),
    Fault("closed_form", "L − 1 for L − 2", REFUTED, closed_form, "leading_time",
          lambda right: lambda s, share, eps, depth:
          right(s, share, eps, depth) * (depth - 2) / (depth - 1)),
    Fault("parsimony", "half the residual scale", REFUTED, parsimony, "_start",
          after(lambda W: np.where(np.arange(len(W))[:, None] == len(W) - 1, 0.5 * W, W))),
    Fault("parsimony", "−Q for Q", REFUTED, parsimony, "_live_parts",
          after(lambda parts: [-P for P in parts])),
    Fault("parsimony", "target halved", REFUTED, parsimony, "_assemble",
          lambda right: lambda problem, left, s, *rest: right(problem, left, s / 2, *rest)),
    Fault("parsimony", "reduction without weight decay", REFUTED, attacks_parsimony,
          "gradient_descent",
          without_decay(lambda problem, *_: isinstance(problem, ReducedFactorization))),
    Fault("parsimony", "weight decay without α", REFUTED, protocol, "shrinkage",
          decay_without_alpha),
    Fault("parsimony", "idle directions without weight decay", REFUTED, parsimony.Reduction, "lift",
          idle_directions_kept),
    Fault("proposition1", "ascent", REFUTED, networks, "backward", ascent),
    Fault("proposition1", "stale prefix", REFUTED, networks, "backward", stale_prefix),
    Fault("proposition1", "L + 1 for L", REFUTED, proposition1, "rates",
          lambda right: lambda W, G, depth: right(W, G, depth + 1)),
    Fault("proposition1_vectors", "−F or Fᵀ for F", REFUTED, proposition1, "vector_rates",
          vectors_with(lambda K, H, s, depth: (-K, -H, 1.0))),
    Fault("proposition1_vectors", "U for V in rotations", REFUTED, proposition1, "vector_rates",
          vectors_with(lambda K, H, s, depth: (H, K, 1.0))),
    Fault("proposition1_vectors", "1/2 for 1/2 − 1/L", REFUTED, proposition1, "vector_rates",
          vectors_with(lambda K, H, s, depth: (K, H, s ** (2 / depth)))),
    Fault("proposition1_vectors", "1/2 − 2/L for 1/2 − 1/L", REFUTED, proposition1, "vector_rates",
          vectors_with(lambda K, H, s, depth: (K, H, s ** (-2 / depth)))),
    Fault("proposition1_vectors", "a rotation that is none", REFUTED, proposition1, "vector_rates",
          vectors_with(lambda K, H, s, depth: (K + np.eye(K.shape[-1]), H, 1.0))),
    Fault("proposition1_vectors", "any values are distinct", UNMET, proposition1, "distinct_values",
          always_met),
    Fault("proposition1", "uneven layers look balanced", REFUTED, networks, "imbalance",
          after(lambda D: tuple(0 * d for d in D))),
    Fault("assumption1", "premise always met", REFUTED, assumption1, "aligned_start", always_met),
    Fault("assumption1", "1 − cos for cos", REFUTED, decompositions, "alignments_of",
          after(lambda found: found._replace(left=1 - found.left))),
    Fault("dominance", "ε² for ε", REFUTED, modes, "flow",
          flow_with(lambda s, eps, depth: (s, min(eps, 1) ** 2 / 2, depth))),
    Fault("dominance", "rate without L", REFUTED, modes, "_rate",
          lambda right: lambda s, depth, scale: right(s, depth, scale) / depth),
    Fault("dominance", "wide starts at √ε", "same start", networks, "original_weights",
          scaled_start(0.5)),
    Fault("dominance", "wrong sign", REFUTED, dominance, "margins", after(np.negative)),
    Fault("theorem2", "wrong sign", REFUTED, theorem2, "margins", after(np.negative)),
    Fault("theorem2", "aligned everywhere", REFUTED, assumption1, "aligned_start", always_met),
    Fault("theorem2", "r̂ + 1 for r̂", REFUTED, theorem2, "exact_margins",
          lambda right: lambda wide, narrow, spare, residual:
          right(wide, narrow, spare + 1, residual)),
    Fault("theorem2", "σ*/2 for σ*", REFUTED, modes, "flow",
          flow_with(lambda s, eps, depth: (s / 2, eps, depth))),
    Fault("theorem2_refined", "no residual term", REFUTED, theorem2, "refined_margins",
          lambda right: lambda wide, narrow, spare, residual: right(wide, narrow, 0, residual)),
    Fault("theorem2_refined", "β^{2L} squared", REFUTED, theorem2, "refined_margins",
          lambda right: lambda wide, narrow, spare, residual:
          right(wide, narrow, spare, residual**2)),
    Fault("theorem2_refined", "any start is small", REFUTED, theorem2, "small_start", always_met),
    Fault("theorem2_refined", "any r̂ is enough", REFUTED, theorem2, "enough_rank", always_met),
    Fault("theorem2_refined", "rate without L", UNMET, modes, "_rate",
          lambda right: lambda s, depth, scale: right(s, depth, scale) / depth),
    Fault("theorem2_sharp", "r̂ − d for r̂ − (d − r)", REFUTED, theorem2, "allowance",
          lambda right: lambda r_hat, rank, size: r_hat - size - 1),
    Fault("theorem2_sharp", "any start is small", REFUTED, theorem2, "small_start", always_met),
    Fault("theorem2_sharp", "wrong sign", REFUTED, theorem2, "margins", after(np.negative)),
    Fault("theorem2_refined", "unfitted compressed network", REFUTED, dynamics,
          "narrow_run", after(stretched)),
    Fault("gauge", "turned back", REFUTED, gauge, "turned", turned_back),
    Fault("gauge", "Qᵀ for Q", REFUTED, gauge, "canonical", product_reversed),
    Fault("gauge", "prefix upside down", REFUTED, arithmetic.Blas, "descend", inverted_prefix),
    Fault("gauge", "any turn is orthogonal", REFUTED, gauge, "orthogonal_turns", always_met),
    Fault("gradients", "ascent", REFUTED, networks, "backward", ascent),
    Fault("gradients", "stale prefix", REFUTED, networks, "backward", stale_prefix),
    Fault("gradients", "mean for sum", REFUTED, Factorization, "gradient",
          lambda right: lambda self, W: right(self, W) / W.shape[-1] / 2),
    Fault("gradients", "adjoint of a mask upside down", REFUTED, SampledCompletion, "adjoint",
          after(lambda A: A[..., ::-1, :])),
    Fault("gradients", "half the loss", REFUTED, Problem, "loss", after(lambda x: x / 2)),
    Fault("closed_form_plane", "twice as fast", REFUTED, closed_form, "plane_flow",
          lambda right: lambda t, *rest: right(2 * t, *rest)),
    Fault("closed_form_plane", "turned back", REFUTED, closed_form, "plane_flow",
          lambda right: lambda t, sigma, eps, angle: right(t, sigma, eps, -angle)),
    Fault("generally_c_vec_0", "1 − cos for cos", MISSED, spectra, "alignments",
          after(lambda found: found._replace(left=1 - found.left))),
    Fault("generally_c_vec_0", "twice as fast", MISSED, closed_form, "plane_flow",
          lambda right: lambda t, *rest: right(2 * t, *rest)),
    Fault("eq26", "nothing moves", MISSED, modes, "flow",
          lambda right: lambda t, s, eps, depth, **options: right(0 * t, s, eps, depth, **options)),
    Fault("eq26", "√ε for ε", MISSED, modes, "flow",
          flow_with(lambda s, eps, depth: (s, eps**0.5, depth))),
    Fault("dominance_descent", "no target", MISSED, modes, "descent",
          descent_with(lambda s, eps, depth, eta, a: (0 * s, eps, depth, eta, a))),
    Fault("dominance_descent", "wrong sign", MISSED, dominance, "margins", after(np.negative)),
    Fault("theorem2_any_eps", "targets below the start not counted", REFUTED, theorem2,
          "below_start", after(lambda count: 0)),
    Fault("theorem2_any_eps", "wrong sign", REFUTED, theorem2, "margins", after(np.negative)),
    Fault("eq13_compressing", "any r̂ compresses", REFUTED, eq13, "compresses", always_met),
    Fault("eq13_compressing", "wrong sign", REFUTED, theorem2, "margins", after(np.negative)),
    Fault("eq13_any_start", "wrong sign", MISSED, theorem2, "margins", after(np.negative)),
    Fault("eq13_any_start", "fast residual", MISSED, modes, "_residual", residual_mode),
    Fault("eq13_small_c_vec", "twice as fast", MISSED, closed_form, "plane_flow",
          lambda right: lambda t, *rest: right(2 * t, *rest)),
    Fault("eq13_small_c_vec", "wrong sign", MISSED, theorem2, "margins", after(np.negative)),
    Fault("eq13_large_start", "wrong sign", MISSED, theorem2, "margins", after(np.negative)),
    Fault("eq13_large_start", "σ*/2 for σ*", MISSED, modes, "flow",
          flow_with(lambda s, eps, depth: (s / 2, eps, depth))),
    Fault("eq13_descent", "ascent", MISSED, arithmetic.Blas, "descend", uphill),
    Fault("eq13_descent", "√ε for ε", MISSED, modes, "descent",
          descent_with(lambda s, eps, depth, eta, a: (s, eps**0.5, depth, eta, a))),
    Fault("eq13_half_step", "steps 1.6 times too long", REFUTED, blocks, "stable_step",
          after(lambda step: 1.6 * step)),
    Fault("eq13_half_step", "wrong sign", REFUTED, theorem2, "margins", after(np.negative)),
]  # fmt: skip
