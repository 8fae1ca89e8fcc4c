"""The exact reduction of the wide network, against the wide network run in full.

Both runs are exact in exact arithmetic, so they may differ by rounding only: by what d-term dot
products commit at each step, times what the dynamics make of a perturbation on the way.  The latter
is not guessed but measured: the wide network is run a second time from weights that are off by a
relative 1e-7, and the relative distance of the two full runs over 1e-7 is the amplification κ (at
least 1), for each quantity by itself.  The bound is then 10·d·L·u·κ times the largest entry of the
quantity during the run, which for small ε is ε for a layer and ε^L end to end; one perturbation can
miss the worst direction, for which the factor 10 is there.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from instances import assert_close

import dlnlab
from dlnlab import networks
from dlnlab.numerics import arrays
from dlnlab.reductions import parsimony
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.reductions.reduced import ReducedFactorization

UNIT = np.finfo(float).eps
NUDGE = 1e-7
STEPS = 60
RECORD = ("loss", "error", "singular_values", "end_to_end", "layers")
# Widths from input to output.
WIDTHS = {
    "square": (6, 6, 6, 6, 6, 6),
    "wide, hidden at max": (8, 8, 8, 8, 8, 5),
    "wide, hidden at min": (8, 5, 5, 5, 5, 5),
    "wide, in between": (8, 7, 7, 6, 6, 5),
    "tall, hidden at max": (4, 7, 7, 7, 7, 7),
    "tall, hidden at min": (4, 4, 4, 4, 4, 7),
    "tall, in between": (4, 4, 5, 6, 6, 7),
}


def chain(name, depth):
    """The widths of a network of this depth: the ends and the last hidden ones kept."""
    widths = WIDTHS[name]
    return (widths[0], *widths[6 - depth : 5], widths[-1])


def measured(problem, weights, **options):
    return dlnlab.gradient_descent(
        problem, weights, num_steps=STEPS, record_every=6, record=RECORD, **options
    )


class Case:
    """A wide run, its amplification of perturbations, and the reduced run."""

    def __init__(
        self,
        widths,
        rank,
        eps,
        alpha=1.0,
        normalization="sum",
        decay=0.0,
        reduce=parsimony.reduce,
    ):
        shape = (widths[-1], widths[0])
        s = np.linspace(1.0, 0.4, rank)
        M = dlnlab.random_target(shape, rank, rng=3, singular_values=s)
        self.problem = dlnlab.factorization(M, normalization)
        weights = dlnlab.original_weights(shape, len(widths) - 1, eps, rng=4, width=widths[1:-1])
        # Learns within the run for ε >= 0.1, and is stable for ε = 1 too.
        scale = float(self.problem.scale)
        options = {"eta": 0.1 / scale, "alpha": alpha, "weight_decay": scale * decay}
        self.wide = measured(self.problem, weights, **options)
        noise = np.random.default_rng(5)
        nudged = tuple(W * (1 + NUDGE * noise.standard_normal(W.shape)) for W in weights)
        other = measured(self.problem, nudged, **options)
        rounding = 10 * max(widths) * len(widths) * UNIT

        def bound(exact, nudged):
            size, spread = (float(np.abs(x).max()) for x in (exact, exact - nudged))
            return rounding * max(size, spread / NUDGE)

        self.end_bound = bound(self.wide.end_to_end, other.end_to_end)
        self.layer_bounds = [
            bound(a, b) for a, b in zip(self.wide.layers, other.layers, strict=True)
        ]
        self.error_bound = bound(self.wide.errors, other.errors)
        self.reduction = reduce(self.problem, weights)
        self.small = measured(self.reduction.problem, self.reduction.weights, **options)

    def check(self):
        """Compare all that is recorded and lifted; return the largest gap in units of its bound."""
        wide, small, bound = self.wide, self.small, self.end_bound
        # Norms of d × d differences are at most d times their largest entry; ½e² moves by e·δe.
        norm = bound * max(self.problem.shape)
        loss = float(self.problem.scale) * self.error_bound * float(np.max(wide.errors))
        shared = min(small.singular_values.shape[-1], wide.singular_values.shape[-1])
        final = networks.end_to_end(self.reduction.lift(small.weights))
        compared = [
            (small.errors, wide.errors, self.error_bound, "error"),
            (small.losses, wide.losses, loss, "loss"),
            (
                small.singular_values[:, :shared],
                wide.singular_values[:, :shared],
                norm,
                "singular values",
            ),
            (
                self.reduction.lift_end_to_end(small.end_to_end),
                wide.end_to_end,
                bound,
                "lifted end to end",
            ),
            (final, wide.end_to_end[-1], bound, "lifted final weights"),
        ]
        for k, layer in enumerate(self.reduction.lift(small.layers)):
            compared.append((layer, wide.layers[k], self.layer_bounds[k], f"lifted weights[{k}]"))
        return max(assert_close(*one) for one in compared)


def ranks(widths):
    d = min(widths)
    return sorted({1, 2, d // 2 + 1, d})


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("name", list(WIDTHS))
def test_the_wide_network_is_its_reduction(name, depth):
    widths = chain(name, depth)
    axes = [ranks(widths), [1e-3, 0.1, 1.0], [1.0, 0.4], ["sum", "mean"], [0.0, 0.3]]
    worst = (0.0, None)
    for index in itertools.product(*(range(len(axis)) for axis in axes)):
        # A half fraction: every pair of settings occurs at each depth, every setting at two.
        if sum(index) % 2 == depth % 2:
            setting = tuple(axis[k] for axis, k in zip(axes, index, strict=True))
            case = Case(widths, *setting)
            worst = max(worst, (case.check(), (*setting, case.end_bound)))
    print(
        f"worst gap over bound {worst[0]:.3g} at (r, eps, alpha, normalization, decay, bound) "
        f"{worst[1]}"
    )


def test_a_longer_run_learns_and_stays_equal():
    """Through the saddle and to convergence: the case the reduction exists for."""
    case = Case((12,) * 4, 2, 0.3)
    M = case.problem.target
    run = dlnlab.gradient_descent(
        case.reduction.problem, case.reduction.weights, eta=0.3, num_steps=400
    )
    wide = dlnlab.gradient_descent(case.problem, case.reduction.initial, eta=0.3, num_steps=400)
    assert run.errors[-1] < 0.1 * np.linalg.norm(M)
    # Amplification on the way out of the saddle is at most (σ*/ε³)^{2−2/3} < 200; 400 steps.
    assert_close(run.errors, wide.errors, 400 * 200 * 12 * UNIT, "error")


def test_sizes_are_as_promised():
    problem = dlnlab.factorization(dlnlab.random_target((30, 30), 3, rng=0))
    reduction = parsimony.reduce(problem, dlnlab.original_weights((30, 30), 4, 0.1, rng=1))
    assert [W.shape for W in reduction.weights] == [(7, 7)] * 4
    assert (reduction.multiplicity, reduction.problem.multiplicity) == (24, 24)
    assert [Z.shape for Z in reduction.bases] == [(30, 6)] * 5
    full = dlnlab.factorization(dlnlab.random_target((4, 4), 3, rng=0))
    reduction = parsimony.reduce(full, dlnlab.original_weights((4, 4), 2, 0.1, rng=1))
    assert [W.shape for W in reduction.weights] == [(4, 4)] * 2  # 2r >= d: the whole space
    assert reduction.multiplicity == 0


def test_bases_are_orthonormal_and_carried_by_the_layers():
    problem = dlnlab.factorization(dlnlab.random_target((5, 8), 2, rng=0))
    weights = dlnlab.original_weights((5, 8), 4, 0.1, rng=1, width=(8, 7, 6))
    reduction = parsimony.reduce(problem, weights)
    for Z in reduction.bases:
        assert_close(Z.T @ Z, np.eye(Z.shape[1]), 200 * UNIT, "Zᵀ Z")
    for W, before, after in zip(weights, reduction.bases[:-1], reduction.bases[1:], strict=True):
        image = W @ before / 0.1
        assert_close(after @ (after.T @ image), image, 500 * UNIT, "Q Z_{l−1} within Z_l")


IDLE = [(9, 9, 9, 4), (4, 9, 9, 9), (9, 7, 5, 4)]
"""Widths with hidden directions that see no gradient, beside the live ones, at rank 1."""


@pytest.mark.parametrize("alpha", [1.0, 0.4])
@pytest.mark.parametrize("widths", IDLE)
def test_idle_directions_decay_by_themselves(widths, alpha):
    case = Case(widths, 1, 0.3, alpha=alpha, decay=0.3)
    case.check()
    sizes = [Z.shape[1] for Z in case.reduction.bases]
    growing = widths[0] < widths[-1]
    for layer in (1, 2) if growing else (0, 1):  # layers between spaces that have κ
        rate = 0.1 * (alpha if layer in (0, 2) else 1.0)
        kappa = case.small.layers[layer][:, sizes[layer + 1], sizes[layer]]
        expected = 0.3 * (1 - 0.3 * rate) ** case.small.steps
        assert_close(kappa, expected, STEPS * 4 * UNIT, f"κ of weights[{layer}]")
        inner = layer if growing else layer + 1
        if widths[inner] - sizes[inner] > case.reduction.multiplicity:
            values = np.linalg.svdvals(case.wide.layers[layer])
            seen = np.min(np.abs(values - expected[:, None]), axis=1)
            assert_close(seen, 0 * seen, 100 * UNIT, f"singular values of weights[{layer}]")


@pytest.mark.parametrize("widths", [*IDLE, (4, 2, 2, 5), (6, 6, 6, 6)])
def test_descent_in_the_reduced_formulation_decays_like_the_full_one(widths):
    shape = (widths[-1], widths[0])
    problem = dlnlab.factorization(dlnlab.random_target(shape, 1, rng=3))
    weights = dlnlab.original_weights(shape, 3, 0.3, rng=4, width=widths[1:-1])
    if min(widths[1:-1]) < min(shape):
        weights = dlnlab.compressed_weights(problem, 2, 3, 0.3)
    options = {"eta": 0.1, "alpha": 0.5, "weight_decay": 0.3, "num_steps": STEPS}
    full, reduced = (
        dlnlab.gradient_descent(
            problem, weights, formulation=name, record=("layers", "loss"), **options
        )
        for name in ("full", "reduced")
    )
    for k, (got, want) in enumerate(zip(reduced.layers, full.layers, strict=True)):
        # 60 steps; with this much decay perturbations do not grow
        assert_close(got, want, STEPS * 100 * UNIT, f"weights[{k}]")
    for got, want in zip(reduced.weights, full.weights, strict=True):
        assert_close(got, want, STEPS * 100 * UNIT, "final weights")


@pytest.mark.parametrize("widths", IDLE)
def test_idle_directions_stay_without_decay(widths):
    case = Case(widths, 1, 0.3)
    case.check()
    shapes = [W.shape for W in case.reduction.weights]
    narrow = shapes[-1][0] if widths[0] > widths[-1] else shapes[0][1]
    assert narrow == 3  # 2r directions and ρ; κ does not reach the end


def test_layers_of_different_scales():
    weights = dlnlab.original_weights((6, 6), 3, 1.0, rng=0)
    weights = tuple(scale * W for scale, W in zip((0.5, 0.1, 0.3), weights, strict=True))
    problem = dlnlab.factorization(dlnlab.random_target((6, 6), 2, rng=1))
    reduction = parsimony.reduce(problem, weights)
    wide = dlnlab.gradient_descent(problem, weights, eta=0.2, num_steps=40)
    small = dlnlab.gradient_descent(reduction.problem, reduction.weights, eta=0.2, num_steps=40)
    # 40 steps that grow perturbations by less than e^{40·0.2}: 3000·40·6 u.
    assert_close(small.errors, wide.errors, 3000 * 40 * 6 * UNIT)


def test_a_reduced_batch_is_lifted_with_its_axes():
    case = Case((6, 6, 6), 2, 0.1)
    etas = np.array([0.05, 0.1])
    run = dlnlab.gradient_descent(
        case.reduction.problem, case.reduction.weights, eta=etas, num_steps=5, record="end_to_end"
    )
    assert case.reduction.lift_end_to_end(run.end_to_end).shape == (6, 2, 6, 6)
    assert [W.shape for W in case.reduction.lift(run.weights)] == [(2, 6, 6)] * 2


def test_devices_reduce_to_numpy_s_numbers(device):
    M = dlnlab.random_target((6, 8), 2, rng=0)
    weights = dlnlab.original_weights((6, 8), 3, 0.1, rng=1)
    here = parsimony.reduce(dlnlab.factorization(M), weights)
    there = parsimony.reduce(dlnlab.factorization(device.asarray(M)), device.tree(weights))
    device.assert_home(*there.weights, *there.bases, *there.problem.target_svd)
    runs = [
        dlnlab.gradient_descent(r.problem, r.weights, eta=0.1, num_steps=20) for r in (here, there)
    ]
    # Bases may differ by rotations between libraries; errors and values do not.
    assert_close(device.to_host(runs[1].errors), runs[0].errors, 1e4 * UNIT)
    values = device.to_host(runs[1].singular_values)
    assert_close(values, runs[0].singular_values, 1e4 * UNIT)
    lifted = device.to_host(there.lift_end_to_end(networks.end_to_end(there.weights)))
    assert_close(lifted, networks.end_to_end(weights), 1e3 * UNIT * 1e-3)
    host = there.to_host()
    assert all(arrays.is_host(W) for W in host.weights)
    assert host.multiplicity == there.multiplicity
    assert here.to_host() is here
    run = dlnlab.gradient_descent(host.problem, host.weights, eta=0.1, num_steps=20)
    assert_close(run.errors, runs[0].errors, 1e4 * UNIT)


# Random networks drawn in reduced coordinates.


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("shape", [(9, 9), (7, 9), (9, 7), (4, 4), (5, 4)])
@pytest.mark.parametrize("hidden", [min, max])
def test_reduce_random_has_the_sizes_of_reduce(shape, hidden, depth):
    problem = dlnlab.factorization(dlnlab.random_target(shape, 2, rng=0))
    width = hidden(shape)
    drawn = parsimony.reduce_random(problem, depth, 0.1, rng=1, width=width)
    wide = dlnlab.original_weights(shape, depth, 0.1, rng=2, width=width)
    formed = parsimony.reduce(problem, wide)
    assert [W.shape for W in drawn.weights] == [W.shape for W in formed.weights]
    assert drawn.multiplicity == formed.multiplicity
    with pytest.raises(ValueError, match="never formed the wide network"):
        drawn.lift(drawn.weights)


@pytest.mark.parametrize("shape", [(8, 8), (6, 9), (9, 6)])
@pytest.mark.parametrize("hidden", [min, max])
def test_reduce_random_is_the_network_whose_product_has_the_drawn_frame(monkeypatch, shape, hidden):
    """Feed reduce_random the frame Q V of a wide network: the trajectories are then the same."""
    low, high = sorted(shape)
    M = dlnlab.random_target(shape, 2, rng=0)
    problem = dlnlab.factorization(M)
    weights = dlnlab.original_weights(shape, 3, 0.3, rng=1, width=hidden(shape))
    U, _, Vh = problem.target_svd
    # Orient as d_out <= d_in: Q = Q_3 Q_2 Q_1 has orthonormal rows, and Q V are the first d_out
    # rows of the frame F of the d_in × d_in rotation that completes Q.
    Q, V = networks.end_to_end(weights) / 0.3**3, Vh.T
    if shape[0] > shape[1]:
        Q, V = Q.T, U
    completed = np.linalg.svd(Q, full_matrices=True)[2][low:]
    frame = np.concatenate([Q, completed]) @ V
    assert_close(frame.T @ frame, np.eye(2), 100 * UNIT)
    monkeypatch.setattr(parsimony, "orthonormal_frame", lambda rows, columns, rng: frame)
    drawn = parsimony.reduce_random(problem, 3, 0.3, rng=0, width=hidden(shape))
    options = {"eta": 0.2, "num_steps": 60, "alpha": 0.5}
    wide = dlnlab.gradient_descent(problem, weights, **options)
    small = dlnlab.gradient_descent(drawn.problem, drawn.weights, **options)
    # 60 steps; perturbations grow with the modes, by at most (1/0.027)^{4/3} < 130.
    assert_close(small.errors, wide.errors, 60 * 130 * high * UNIT, "error")
    shared = min(small.singular_values.shape[-1], low)
    gap = small.singular_values[:, :shared] - wide.singular_values[:, :shared]
    assert_close(gap, 0 * gap, 60 * 130 * high * UNIT, "singular values")


def test_a_factored_target_of_dimension_1e5_runs_in_full():
    d, r, eps, depth = 10**5, 5, 0.3, 3
    target = dlnlab.random_target((d, d), r, rng=0, factored=True)
    problem = dlnlab.factorization(target)
    reduction = parsimony.reduce_random(problem, depth, eps, rng=1)
    assert [W.shape for W in reduction.weights] == [(2 * r + 1,) * 2] * depth
    assert reduction.multiplicity == d - 2 * r
    left, s, right = reduction.problem.target_svd
    # ‖ε^L Q − M‖² = dε^{2L} − 2ε^L tr(S UᵀQV) + ‖M‖², with UᵀQV from the reduced coordinates.
    overlap = np.einsum("ki,i,ik->", left, s, right)
    squared = d * eps ** (2 * depth) - 2 * eps**depth * overlap + np.sum(s**2)
    run = dlnlab.gradient_descent(reduction.problem, reduction.weights, eta=0.2, num_steps=300)
    assert_close(run.losses[0], 0.5 * squared, 1e3 * UNIT * squared, "initial loss")
    # |tr(S UᵀQV)| <= Σσ, and for a Haar Q each entry of UᵀQV is about 1/√d: 6 deviations.
    assert abs(overlap) < 6 * np.sqrt(np.sum(s**2) / d)
    assert_close(run.singular_values[0], np.full(2 * r + 1, eps**depth), 1e3 * UNIT)
    # The d − 2r idle directions follow the mode without a target, exactly.
    idle = dlnlab.modes.descent([0.0], eps, depth, 0.2, 300)[:, 0]
    rest = run.losses - 0.5 * reduction.multiplicity * idle**2
    assert (rest > 0).all()
    # What is left is at most the r modes' own error plus 2r·σ̃² and shrinks far below the start.
    assert rest[-1] < 0.01 * rest[0]


def test_reduce_random_spreads_like_the_wide_network():
    """The law of ‖UᵀQV‖²: E = r²/d for a Haar Q (each entry squared has mean 1/d)."""
    d, r, count = 12, 2, 400
    problem = dlnlab.factorization(dlnlab.random_target((d, d), r, rng=0))
    rng, sizes = np.random.default_rng(2), []
    for _ in range(count):
        left, _, right = parsimony.reduce_random(problem, 2, 1.0, rng=rng).problem.target_svd
        sizes.append(np.sum((left.T @ right.T) ** 2))
    # Variance below 2r²/d²·(1 + r): within 5 standard errors but for 6e-7 of all seeds.
    assert abs(np.mean(sizes) - r * r / d) < 5 * np.sqrt(2 * r * r * (1 + r) / d**2 / count)


# What has no reduction.


def refusals():
    square = dlnlab.factorization(dlnlab.random_target((4, 4), 1, rng=0))
    rectangle = dlnlab.factorization(dlnlab.random_target((4, 6), 1, rng=0))
    start = dlnlab.original_weights((4, 4), 2, 0.1, rng=0)
    gaussian = dlnlab.original_weights((4, 4), 2, 0.1, rng=0, init="gaussian")
    bulge = dlnlab.original_weights((4, 4), 2, 0.1, rng=0, width=5)
    waist = dlnlab.original_weights((4, 4), 2, 0.1, rng=0, width=3)
    batch = dlnlab.original_weights((4, 4), 2, 0.1, rng=0, batch=(2,))
    masked = dlnlab.completion(square.target, np.ones((4, 4), dtype=bool))
    targets = dlnlab.factorization(np.ones((2, 4, 4)))
    zero = (0 * start[0], start[1])
    yield "gaussian", NoReductionError, "must be a multiple of a", square, gaussian
    yield "zero layer", NoReductionError, "must be a multiple of a", square, zero
    yield "wider than both ends", NoReductionError, "never grow or never shrink", square, bulge
    yield "narrower than both ends", NoReductionError, "never grow or never", square, waist
    yield "batch of networks", ValueError, "`weights` must be one network", square, batch
    yield "batch of targets", ValueError, "`problem` must have one target", targets, start
    yield "other problem", TypeError, "`problem` must be a factorization", masked, start
    yield "other shape", ValueError, r"`weights` must form a network of shape", rectangle, start
    yield (
        "a reduced problem",
        TypeError,
        "`problem`",
        parsimony.reduce(square, start).problem,
        start,
    )


@pytest.mark.parametrize(
    ("kind", "message", "problem", "weights"),
    [pytest.param(*case[1:], id=case[0]) for case in refusals()],
)
def test_networks_without_a_reduction_are_refused(kind, message, problem, weights):
    with pytest.raises(kind, match=message):
        parsimony.reduce(problem, weights)


# Mutations.


def without_residual_term(monkeypatch):
    def squared_norm(self, residual):
        return super(ReducedFactorization, self).squared_norm(residual[..., :-1, :-1])

    monkeypatch.setattr(ReducedFactorization, "squared_norm", squared_norm)


def wrong_multiplicity(monkeypatch):
    right = ReducedFactorization.__init__

    def init(self, target, multiplicity, original):
        right(self, target, multiplicity + 1, original)

    monkeypatch.setattr(ReducedFactorization, "__init__", init)


def swapped_vectors(monkeypatch):
    right = parsimony._invariant_bases
    monkeypatch.setattr(parsimony, "_invariant_bases", lambda Q, U, V: right(Q, V, U))


def stuck_residual(monkeypatch):
    right = parsimony._live_parts
    monkeypatch.setattr(parsimony, "_live_parts", lambda Q, Z: [0 * q for q in right(Q, Z)])


def undecayed_idle_directions(monkeypatch):
    """The lift as it would be if directions without a gradient kept their initial value."""
    right = parsimony.Reduction.lift

    def lift(self, weights):
        sizes, scales = (
            [Z.shape[1] for Z in self.bases],
            [parsimony._scale(W) for W in self.initial],
        )
        undecayed = []
        for k, W in enumerate(weights):
            after, before, W = sizes[k + 1], sizes[k], W.copy()
            if min(W.shape[-2] - after, W.shape[-1] - before) > 1:
                W[..., after, before] = scales[k]
            undecayed.append(W)
        return right(self, undecayed)

    monkeypatch.setattr(parsimony.Reduction, "lift", lift)


def no_idle_coordinate(monkeypatch):
    monkeypatch.setattr(parsimony, "_idle_spaces", lambda weights, sizes, n: [0] * len(sizes))


@pytest.mark.parametrize("mutate", [undecayed_idle_directions, no_idle_coordinate])
def test_a_lift_that_forgets_the_idle_directions_is_caught(monkeypatch, mutate):
    Case((9, 9, 9, 4), 1, 0.3, decay=0.3).check()
    mutate(monkeypatch)
    with pytest.raises(AssertionError, match="lifted weights"):
        Case((9, 9, 9, 4), 1, 0.3, decay=0.3).check()


MUTATIONS = [without_residual_term, wrong_multiplicity, swapped_vectors, stuck_residual]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda m: m.__name__)
def test_a_broken_reduction_is_caught(monkeypatch, mutate):
    Case((6, 6, 6, 6), 2, 0.3).check()
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        Case((6, 6, 6, 6), 2, 0.3).check()
