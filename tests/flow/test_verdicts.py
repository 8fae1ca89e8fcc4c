"""Verdicts and numbers of comparisons that are known from elsewhere, and sweeps around them."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import taylor

import dlnlab
from dlnlab import compare, networks
from dlnlab.claims import corollary1, gauge, theorem1
from dlnlab.flow import calls, network, stages
from dlnlab.flow.network import OriginalNetwork
from dlnlab.flow.riccati import TwoLayers
from dlnlab.problems import targets

AGREES = ("proved", "conditional", "conjecture")
NUMBERS = np.arange(8.0)
FIVE = {
    "grey image": np.round(
        127.5
        + 90 * np.sin(np.add.outer(NUMBERS / 1.6, NUMBERS / 2.7))
        + 37 * np.cos(np.multiply.outer(NUMBERS, NUMBERS) / 9.1)
    ),
    "Hilbert": 1 / (np.add.outer(NUMBERS[:4], NUMBERS[:4]) + 1),
    "AR(.95)": 0.95 ** np.abs(np.subtract.outer(NUMBERS, NUMBERS)),
    "apart": np.array([[1000.0, 2.0], [3.0, 4.0]]),
    "four numbers": np.array([[1.0, 2.0], [3.0, 4.0]]),
}


def rotation(t):
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def statuses(c):
    return {name: verdict.status for name, verdict in c.verdicts.items()}


def unmet(c, claim):
    return {premise.name for premise in c.verdicts[claim].unmet}


# Premises.


@pytest.mark.parametrize("angle", [0.5, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("depth", [2, 3])
def test_a_start_that_is_off_by_an_angle_is_not_aligned(angle, depth):
    """1 − cos of the smaller ones is rounding; ‖Qv − u‖ is not."""
    eps = 1e-3 if depth == 2 else 0.1
    start = (*[eps * np.eye(2)] * (depth - 1), eps * rotation(angle))
    c = compare(np.diag([1.0, 0.0]), 2, depth=depth, eps=eps, within=1e-6, weights=start)
    for claim in ("assumption1", "theorem2"):
        assert c.verdicts[claim].status == "not applicable"
        assert "aligned start" in unmet(c, claim)
    assert c.verdicts["theorem2"].margin < 0 or angle < 0.1  # the claim itself would fail


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_aligned_starts_have_theorem_2_and_its_exact_margin(depth):
    M, eps = np.diag([1.0, 0.5, 0.0, 0.0]), 0.2
    for r_hat in (2, 3, 4):
        c = compare(M, r_hat, depth=depth, eps=eps, weights=[eps * np.eye(4)] * depth)
        assert c.verdicts["theorem2"].status == "proved"
        assert c.verdicts["assumption1"].status == "proved"
        assert c.verdicts["assumption1"].witness["waiting"] > 0  # a number, not a premise
        exact = (4 - r_hat) * c.residual**2
        assert (np.abs(c.margin - exact) <= c.margin_error).all()


def test_an_ill_conditioned_target_does_not_make_every_start_aligned():
    M = dlnlab.random_target((4, 4), 4, rng=0, singular_values=[1.0, 1e-5, 1e-10, 1e-13])
    c = compare(M, 4, rank=4, depth=2, eps=1e-8)
    assert "aligned start" in unmet(c, "theorem2")


def test_dominance_needs_layers_that_are_balanced():
    """The paper's rectangular start is not: hidden directions that end in a kernel add speed."""
    M = dlnlab.random_target((2, 3), 2, rng=5)
    c = compare(M, 2, depth=2, eps=0.3, rng=5, width=3)
    found = c.verdicts["dominance"]
    assert found.margin < -1000 * found.error
    assert unmet(c, "dominance") == {"balanced start"}
    for name in ("dominance", "theorem2_refined", "theorem2_sharp", "theorem2_any_eps"):
        assert "balanced orthogonal start" in c.verdicts[name].statement
    balanced = compare(M, 2, depth=2, eps=0.3, rng=5)
    assert balanced.verdicts["dominance"].status == "proved"


@pytest.mark.parametrize("shape", [(2, 3), (5, 2), (6, 3)])
def test_proofs_for_square_targets_say_nothing_of_rectangular_ones(shape):
    """QᵀM may be normal, and a tall M have more beside it."""
    d, Q = min(shape), np.eye(*shape)
    M = Q * np.array([1.0, 0.7, 0.4])[: shape[1]]
    beside = np.random.default_rng(0).standard_normal(shape)
    M = M + (beside - Q @ Q.T @ beside if shape[0] > d else beside - beside @ Q.T @ Q)
    start = [0.2 * Q if shape[1] > d else 0.2 * np.eye(d), 0.2 * np.eye(d)]
    start.append(0.2 * np.eye(d) if shape[1] > d else 0.2 * Q)
    c = compare(M, d, eps=0.2, weights=start)
    assert c.verdicts["dominance"].status == "conjecture"
    assert c.verdicts["theorem2_sharp"].status == "conditional"


# Invariants.


def test_a_start_of_the_wrong_sign_never_fits_its_last_mode():
    M = dlnlab.random_target((3, 3), 3, rng=0)
    c = compare(M, 3, depth=2, eps=0.2, rng=3)
    assert c.settings["trapped"] == [3]
    assert np.isfinite(c.fitting_times.original[:2]).all()
    assert c.fitting_times.original[2] == np.inf
    assert c.coverage.whole
    assert "can never fit mode 3" in c.summary()


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_sign_of_the_determinant_decides_whether_all_modes_are_fitted(depth):
    signs = []
    for seed in range(8):
        d = 2 + seed % 3
        M = dlnlab.random_target((d, d), d, rng=seed)
        weights = dlnlab.original_weights((d, d), depth, 0.3, rng=seed)
        sign = np.linalg.det(networks.end_to_end(weights)) * np.linalg.det(M)
        c = compare(M, d, depth=depth, eps=0.3, weights=weights)
        assert c.settings["trapped"] == ([d] if sign < 0 else [])
        assert bool(np.isfinite(c.fitting_times.original).all()) == (sign > 0)
        assert np.isfinite(c.fitting_times.original[:-1]).all()
        found = [
            np.linalg.det(c._flow.network.matrix(block)) for block in c._flow.records.blocks[::9]
        ]
        known = np.abs(found) > 1e-12  # of the others the sign is rounding
        assert (np.sign(found)[known] == np.sign(sign * np.linalg.det(M))).all()
        assert "refuted" not in statuses(c).values()
        signs.append(sign > 0)
    assert 0 < sum(signs) < 8


def test_a_block_of_the_wrong_sign_is_found_too():
    start = (0.2 * np.eye(4), 0.2 * np.eye(4), 0.2 * np.diag([1.0, -1.0, 1.0, 1.0]))
    c = compare(np.diag([1.0, 0.5, 0.0, 0.0]), 2, eps=0.2, weights=start)
    assert c.settings["trapped"] == [2]
    assert c.fitting_times.original[1] == np.inf


def test_two_blocks_of_the_wrong_sign_have_a_determinant_of_the_right_one():
    flip, turn = np.diag([1.0, -1.0]), np.zeros((4, 4))
    turn[:2, :2], turn[2:, 2:] = rotation(0.4) @ flip, rotation(1.0) @ flip
    start = (0.3 * np.eye(4), 0.3 * np.eye(4), 0.3 * turn)
    c = compare(np.diag([1.0, 0.5, 0.8, 0.3]), 4, eps=0.3, weights=start)
    assert c.settings["trapped"] == [3, 4]
    assert "can never fit modes 3, 4: among the modes that each is coupled to," in c.summary()
    assert c.verdicts["dominance"].status == "proved"  # QᵀM is a sum of blocks of size two


def test_equal_modes_of_which_one_is_lost_end_all_the_same():
    for s in ([1.0, 0.5, 0.1, 0.1], [1.0, 0.5, 0.1001, 0.1]):
        M = dlnlab.random_target((4, 4), 4, rng=109, singular_values=s)
        weights = dlnlab.original_weights((4, 4), 3, 0.1, rng=1109)
        c = compare(M, 4, eps=0.1, weights=weights)
        assert c.coverage.whole
        assert np.isinf(c.fitting_times.original).tolist() == [False, False, False, True]


# Errors.


def near_saddle(delta, seed, eps, depth):
    """A target direction turned into the kernel by π − δ."""
    rng = np.random.default_rng(seed)
    U, V, *turns = (targets.orthonormal_frame(4, 4, rng) for _ in range(depth + 1))
    inner = np.eye(4)
    inner[1:3, 1:3] = rotation(np.pi - delta)
    layers = [turns[0], *(after @ before.T for before, after in itertools.pairwise(turns))]
    layers.append(U @ inner @ V.T @ turns[-1].T)
    return (U[:, :2] * [1.0, 0.6]) @ V[:, :2].T, tuple(eps * W for W in layers)


@pytest.mark.skipif(not taylor.EXTENDED, reason="no extended precision on this machine")
@pytest.mark.parametrize(("depth", "eps"), [(2, 0.1), (3, 0.3), (4, 0.3)])
def test_near_saddles_the_error_covers_what_rounding_grows_to(depth, eps):
    for seed, delta in enumerate((1e-3, 1e-10, 1e-12, 1e-13)):
        M, weights = near_saddle(delta, seed, eps, depth)
        c = compare(M, 2, depth=depth, eps=eps, weights=weights)
        check_against(c, M, weights, most=250.0)
        if delta <= 1e-13:  # what is not known is not claimed
            assert c.verdicts["dominance"].status == "not applicable"


def check_against(c, M, weights, most):
    """Compare matrices and margins with the oracle's."""
    picked = np.flatnonzero((c.times > 0) & (c.times <= most))
    picked = picked[np.linspace(0, picked.size - 1, 8).astype(int)]
    exact = taylor.flow(weights, M, c.times[picked])
    found = np.array([c._flow.network.matrix(c._flow.records.blocks[k]) for k in picked])
    off = np.sqrt(np.sum((found - exact) ** 2, axis=(1, 2)))
    assert (off <= c.original_error[picked]).all()
    margin = np.sum((exact - M) ** 2, axis=(1, 2)) - c.compressed.errors[picked] ** 2
    assert (np.abs(margin - c.margin[picked]) <= c.margin_error[picked]).all()
    return float(np.max(off / c.original_error[picked]))


@pytest.mark.skipif(not taylor.EXTENDED, reason="no extended precision on this machine")
def test_errors_of_random_starts_are_covered():
    rng, ratios = np.random.default_rng(0), []
    for trial in range(12):
        d, depth = int(rng.integers(2, 5)), int(rng.choice([2, 3, 3, 4]))
        s = np.sort(rng.choice([0.9, 0.5, 0.3, 0.1], size=int(rng.integers(1, d + 1))))[::-1]
        s[0], eps = 1.0, float(rng.choice([0.2, 0.3, 0.5]))
        M = dlnlab.random_target((d, d), s.size, rng=trial, singular_values=s)
        weights = dlnlab.original_weights((d, d), depth, eps, rng=trial + 1000)
        rtol = float(rng.choice([1e-12, 1e-10, 1e-8]))
        c = compare(M, s.size, depth=depth, eps=eps, weights=weights, rtol=rtol)
        ratios.append(check_against(c, M, weights, most=100.0))
        assert "refuted" not in statuses(c).values()
    assert max(ratios) > 0.03  # a bound that is never nearly reached would be no test


@pytest.mark.skipif(not taylor.EXTENDED, reason="no extended precision on this machine")
def test_mutation_two_runs_from_one_start_do_not_see_the_rounding_of_it(monkeypatch):
    monkeypatch.setattr(OriginalNetwork, "perturbed", lambda self, seed: self.weights)
    M, weights = near_saddle(1e-13, 5, 0.3, 3)
    c = compare(M, 2, eps=0.3, weights=weights)
    with pytest.raises(AssertionError):
        check_against(c, M, weights, most=300.0)


@pytest.mark.parametrize("change", ["DECOUPLED", "coupling"])
def test_mutation_taking_modes_out_too_early_is_seen(monkeypatch, change):
    M = dlnlab.random_target((6, 6), 3, rng=0, singular_values=[1.0, 0.5, 0.1])
    weights = dlnlab.original_weights((6, 6), 3, 0.3, rng=1)
    right = compare(M, 3, eps=0.3, weights=weights, rtol=1e-13)
    honest = stages._without

    def mixed(layers, places):
        part = honest(layers, places)
        return stages._Remainder(tuple(1.001 * W for W in part.layers), part.coupling)

    if change == "DECOUPLED":
        monkeypatch.setattr(stages, "DECOUPLED", 1e-2)
        monkeypatch.setattr(OriginalNetwork, "unfitted", lambda *_: 1.0)
    else:
        monkeypatch.setattr(stages, "_without", mixed)
    wrong = compare(M, 3, eps=0.3, weights=weights, rtol=1e-13, t_end=float(right.times[-1]))
    k = int(np.argmin(np.abs(right.original.singular_values[:, 2] - 0.05)))
    found = np.interp(right.times[k], wrong.times, wrong.original.singular_values[:, 2])
    off = abs(found - right.original.singular_values[k, 2])
    assert off > 100 * right.original_error.max()


# Two layers in closed form.


def test_two_layers_agree_with_the_closed_form_in_the_plane():
    """M = diag(σ, 0), Q a rotation by θ: with T = tan(θ/2) and F = 1 + T²e^{−2σt},

    1/σ_2(t) = [(1 + T²)/ε² + 2t + (T²/σ)(1 − e^{−2σt})]/F.
    """
    sigma, eps, angle = 2.0, 0.3, 1.1
    flow = TwoLayers((eps * np.eye(2), eps * rotation(angle)), np.array([sigma]), [])
    T2 = np.tan(angle / 2) ** 2
    for t in (0.0, 0.3, 3.0, 30.0, 3e3, 3e6):
        first, last = flow.layers(t)
        F = 1 + T2 * np.exp(-2 * sigma * t)
        grown = -np.expm1(-2 * sigma * t)
        exact = F / ((1 + T2) / eps**2 + 2 * t + T2 / sigma * grown)
        assert np.linalg.svdvals(last @ first)[1] == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("eps", [0.3, 1e-3, 1e-9, 1e-120])
def test_two_layers_agree_with_exact_arithmetic_at_all_times(eps):
    mpmath = pytest.importorskip("mpmath")
    s, d = [1.0, 0.4, 1e-2], 4
    Q = targets.orthonormal_frame(d, d, np.random.default_rng(1))
    flow = TwoLayers((eps * np.eye(d), eps * Q), np.array(s), [])
    with mpmath.workdps(4000):
        for t in (0.0, 1.0, 20.0, 500.0, 2000.0 if eps > 1e-100 else 700.0):
            first, last = flow.layers(t)
            exact = _riccati(mpmath, Q, s, eps, t)
            rounding = 50 * (1 + t) * np.finfo(float).eps  # of the exponents σt
            assert np.abs(last @ first - exact).max() <= rounding * np.abs(exact).max()
            values, known = np.linalg.svdvals(last @ first), np.linalg.svdvals(exact)
            large = known > 1e-10 * known[0]  # the others are rounding of `svdvals`
            assert values[large] == pytest.approx(known[large], rel=1e-8)


def _riccati(mp, Q, s, eps, t):
    """The literal formula e^{St} Z (I + Zᵀ ∫e^{2Ss} Z)^{-1} Zᵀ e^{St}, in high precision."""
    d = len(Q)
    rows, rates = [], []
    for i in range(d):
        plus = [mp.mpf(float(x)) for x in Q[i]]
        unit = [mp.mpf(i == j) for j in range(d)]
        half = 1 / mp.sqrt(2)
        rows.append([eps * half * (a + b) for a, b in zip(plus, unit, strict=True)])
        rows.append([eps * half * (a - b) for a, b in zip(plus, unit, strict=True)])
        sigma = mp.mpf(s[i]) if i < len(s) else mp.mpf(0)
        rates += [sigma, -sigma]
    P, t = mp.matrix(rows), mp.mpf(t)
    grown = mp.diag([mp.expm1(2 * r * t) / (2 * r) if r else t for r in rates])
    E = mp.diag([mp.exp(r * t) for r in rates])
    X = E * P * mp.inverse(mp.eye(d) + P.T * grown * P) * P.T * E
    W = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            block = [[X[2 * i + a, 2 * j + b] for b in (0, 1)] for a in (0, 1)]
            W[i, j] = float((block[0][0] - block[0][1] + block[1][0] - block[1][1]) / 2)
    return W


def test_two_layers_agree_with_the_integration():
    M = dlnlab.random_target((7, 7), 3, rng=2)
    closed, integrated = (compare(M, 4, depth=2, eps=0.1, method=m) for m in ("auto", "DOP853"))
    assert (closed.settings["method"], integrated.settings["method"]) == ("closed form", "DOP853")
    assert statuses(closed) == statuses(integrated)
    assert closed.fitting_times.original == pytest.approx(
        integrated.fitting_times.original, rel=1e-3
    )
    start = integrated._flow.network
    flow = TwoLayers(start.weights, np.array(start.problem.target.s), start.blocks)
    for t, W, error in zip(
        integrated._flow.times,
        integrated._flow.records.blocks,
        integrated._flow.error,
        strict=True,
    ):
        first, last = flow.layers(t)
        assert np.sqrt(start.problem.squared_norm(last @ first - W)) <= error


# Units.


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize(("depth", "eps"), [(2, 0.1), (3, 0.3), (3, 2.0), (5, 0.5)])
def test_no_verdict_depends_on_the_units(depth, eps, normalization):
    M = dlnlab.random_target((3, 3), 2, rng=depth)
    options = {"depth": depth, "rng": 4, "normalization": normalization}
    c = compare(M, 2, eps=eps, **options)
    for factor in (1e-12, 1e-5, 3.7, 1e12, 1e-80, 1e80):
        other = compare(factor * M, 2, eps=factor ** (1 / depth) * eps, **options)
        assert statuses(other) == statuses(c)
        for name, verdict in c.verdicts.items():
            assert [p.name for p in other.verdicts[name].unmet] == [p.name for p in verdict.unmet]
        times = factor ** (2 / depth - 2) * np.array(c.fitting_times.original)
        assert other.fitting_times.original == pytest.approx(times, rel=1e-3)
        assert other.original.errors[0] == pytest.approx(factor * c.original.errors[0], rel=1e-9)


def test_small_targets_and_large_starts_do_not_refute_proposition_1():
    M = 1e-9 * np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]])
    c = compare(M, 3)
    assert c.verdicts["proposition1"].status == "proved"
    assert "refuted" not in statuses(c).values()
    assert unmet(c, "theorem2_refined") == {"eps^L <= sigma_r"}
    for eps in (10.0, 1e3):
        c = compare(M / 1e-9, 3, eps=eps)
        assert "refuted" not in statuses(c).values()


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1e6, 1e12])
def test_loss_and_descent_have_the_same_symmetry(factor):
    depth, eps, eta = 3, 0.3, 0.05
    M = dlnlab.random_target((4, 5), 2, rng=0)
    weights = dlnlab.original_weights((4, 5), depth, eps, rng=1)
    other = [factor ** (1 / depth) * W for W in weights]
    a, b = dlnlab.factorization(M), dlnlab.factorization(factor * M)
    W = networks.end_to_end(weights)
    assert float(b.loss(factor * W)) == pytest.approx(factor**2 * float(a.loss(W)), rel=1e-12)
    runs = [
        dlnlab.gradient_descent(problem, start, eta=step, num_steps=50)
        for problem, start, step in (
            (a, weights, eta),
            (b, other, factor ** (2 / depth - 2) * eta),
        )
    ]
    assert runs[1].losses == pytest.approx(factor**2 * runs[0].losses, rel=1e-9)
    flows = [
        dlnlab.gradient_flow(problem, start, t_end=t)
        for problem, start, t in ((a, weights, 40.0), (b, other, factor ** (2 / depth - 2) * 40.0))
    ]
    assert flows[0].status is flows[1].status
    assert flows[1].errors[-1] == pytest.approx(factor * flows[0].errors[-1], rel=1e-6)


# Precision.


def test_a_library_without_double_precision_is_refused(monkeypatch):
    M = dlnlab.random_target((3, 3), 1, rng=0).astype(np.float32)
    monkeypatch.setattr(
        dlnlab.flow.comparison, "_in_double", lambda target: target
    )  # as JAX's astype does
    with pytest.raises(TypeError, match=r"`M` must be convertible to float64, .*jax_enable_x64"):
        compare(M, 1)
    monkeypatch.undo()
    assert compare(M, 1, eps=0.3).verdicts["dominance"].status in AGREES


@pytest.mark.parametrize("rtol", [5e-324, 1e-18, 2e-14, 0.01, 0.5])
def test_tolerances_that_cannot_be_had_are_refused(rtol):
    with pytest.raises(ValueError, match=r"`rtol` must be .*got"):
        compare(np.diag([1.0, 0.0]), 1, rtol=rtol)


def test_the_tightest_tolerance_is_no_worse_than_the_default():
    M = dlnlab.random_target((8, 8), 2, rng=0)
    tight, usual = (compare(M, 4, eps=0.1, rtol=rtol) for rtol in (3e-14, 1e-12))
    assert "refuted" not in statuses(tight).values()
    assert tight.original_error.max() < usual.original_error.max()


# Coverage.


def test_all_singular_values_are_the_networks():
    """2r < d and r̂ + 1 > d − r: smaller values of the block come after copies of β^L."""
    M = dlnlab.random_target((6, 6), 2, rng=0)
    c = compare(M, 5, depth=3, eps=0.5)
    for k in (0, c.times.size // 2, -1):
        full = np.linalg.svdvals(c.matrices(k).original)
        assert c.original.singular_values[k] == pytest.approx(full, abs=1e-12)
    assert c.original.singular_values[-1, 5] < 0.6 * c.residual[-1]


@pytest.mark.parametrize(
    ("depth", "eps", "s"), [(2, 1e-6, 1e-3), (3, 1e-4, 0.01), (2, 1e-9, 1e-5), (4, 0.03, 0.01)]
)
def test_a_plateau_is_not_the_end(depth, eps, s):
    M = dlnlab.random_target((5, 5), 2, rng=0, singular_values=[1.0, s])
    c = compare(M, 2, depth=depth, eps=eps)
    assert c.coverage.whole
    assert (c.fitting_times.original >= 0.999 * c.fitting_times.compressed).all()
    assert (c.fitting_times.original < 3 * c.fitting_times.compressed).all()


def test_the_flow_alone_does_not_take_a_plateau_for_its_end():
    problem = dlnlab.factorization(np.diag([1.0, 1e-2]))
    start = (1e-6 * np.eye(2), 1e-6 * rotation(0.5))
    run = dlnlab.gradient_flow(problem, start, t_end=1e4, rtol=1e-8)
    assert run.status is dlnlab.Status.STATIONARY
    assert run.singular_values[-1] == pytest.approx([1.0, 1e-2], rel=1e-4)
    narrow = dlnlab.compressed_weights(problem, 1, 2, 1e-3)  # has no room for the second mode
    run = dlnlab.gradient_flow(problem, narrow, t_end=1e4, rtol=1e-8)
    assert run.status is dlnlab.Status.STATIONARY
    assert run.times[-1] < 100


@pytest.mark.parametrize("options", [{"t_end": 1.0}, {"max_steps": 20}, {"t_end": 1e-90}])
@pytest.mark.parametrize("depth", [2, 3])
def test_a_part_of_the_flow_is_not_all_of_it(options, depth):
    M = dlnlab.random_target((10, 10), 2, rng=0)
    if depth == 2 and "max_steps" in options:
        options = {"t_end": 3.0}  # a closed form takes no steps
    c = compare(M, 2, depth=depth, **options)
    assert not c.coverage.whole
    assert c.coverage.until == c.times[-1]
    assert not set(statuses(c).values()) & {"proved", "conditional", "conjecture"}
    assert "whole flow" in unmet(c, "dominance")
    assert f"tested up to t = {c.times[-1]:.6g}" in " ".join(c.summary().split())
    assert "never" not in c.summary()


def test_a_violation_counts_however_little_was_seen(monkeypatch):
    honest = calls.downhill

    def fast(problem, weights, outs):
        lists = honest(problem, weights, outs)
        faster = [[functools.partial(np.multiply, G, 3.0, G) for G in out] for out in outs]
        return [a + b for a, b in zip(lists, faster, strict=True)]

    monkeypatch.setattr(calls, "downhill", fast)
    M = dlnlab.random_target((12, 12), 2, rng=0)
    c = compare(M, 3, eps=0.2, t_end=6.0)
    assert not c.coverage.whole
    assert c.verdicts["dominance"].status == "refuted"


# Work.


@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_ill_conditioned_targets_end_with_right_verdicts(name, depth):
    M = FIVE[name]
    c = compare(M, depth=depth)
    assert c.plan.rank == c.plan.of == c.targets.size
    assert c.coverage.whole
    assert c.original.steps[-1] < 3000
    expected = len(c.settings["trapped"])
    assert np.isinf(c.fitting_times.original).sum() == expected
    assert c.verdicts["proposition1"].status == "proved"
    assert c.verdicts["dominance"].status in AGREES
    if c.targets[-1] > 0.01**depth:
        assert c.verdicts["theorem2_refined"].status in AGREES
    else:
        assert unmet(c, "theorem2_refined") == {"eps^L <= sigma_r"}


def realistic(n):
    x, rng = np.linspace(0, 1, n), np.random.default_rng(0)
    low = dlnlab.random_target((n, n), 3, rng=0)
    return {
        "kernel": np.exp(-(np.subtract.outer(x, x) ** 2) / 0.02),
        "noise": low + 1e-3 * rng.standard_normal((n, n)),
        "correlation": np.corrcoef(rng.standard_normal((n, 200)) + rng.standard_normal(200)),
        "image": np.round(127 + 90 * np.sin(np.add.outer(5 * x, 3 * x)) + 9 * rng.random((n, n))),
    }


@pytest.mark.parametrize("name", realistic(6))
def test_realistic_matrices_are_asked_about_what_matters(name):
    M, plans = realistic(60)[name], []
    c = compare(M, announce=plans.append)
    assert c.coverage.whole
    assert plans == [c.plan]
    assert c.plan.of > c.plan.rank == c.targets.size
    assert c.plan.why in c.summary()
    assert c.settings["r_hat"] == c.plan.rank
    assert c.verdicts["theorem2_refined"].status in AGREES
    assert 0.1 < c.original.steps[-1] / c.plan.steps < 3
    if name == "noise":
        assert c.plan.rank == 3


@pytest.mark.parametrize(
    ("M", "depth"),
    [
        (np.diag(10.0 ** -np.arange(10)), 2),
        (1 / np.add.outer(np.arange(1, 11), np.arange(10) + 0.5), 2),
        (np.divide.outer(np.arange(1.0, 13), np.arange(1, 13)), 4),
    ],
)
def test_flows_are_followed_to_their_end_by_default(M, depth):
    """Rounding hides 1e-8 of the smallest mode; beside saddles it takes a hundred times as long."""
    c = compare(np.minimum(M, M.T), depth=depth)
    assert c.coverage.whole
    assert np.isfinite(c.fitting_times.original).all()
    assert set(statuses(c).values()) <= {*AGREES, "not applicable"}


def test_a_layer_of_zeros_is_no_start():
    with pytest.raises(ValueError, match=r"`weights\[1\]` must not be a matrix of zeros"):
        compare(np.eye(2), 2, depth=2, weights=[np.eye(2), np.zeros((2, 2))])


def test_modes_that_fade_into_rounding_are_asked_about_as_far_as_they_grow():
    x = np.linspace(0, 1, 40)
    kernel = np.exp(-12 * (x[:, None] - x) ** 2)
    c = compare(kernel, eps=0.1)
    assert 40 > c.plan.of > c.plan.rank == np.count_nonzero(np.linalg.svd(kernel)[1] > 0.1**3)
    assert c.plan.why == "σ_i* > ε^L"
    assert c.verdicts["theorem2_refined"].status in AGREES
    assert compare(kernel, rank="full", eps=0.1, depth=2).plan.rank == c.plan.of


def test_no_more_modes_are_asked_about_than_r_hat_where_not_all_can_be():
    M = np.random.default_rng(0).standard_normal((80, 80))
    plans = []

    def stop(plan):
        plans.append(plan)
        raise KeyboardInterrupt

    for r_hat in (4, None):
        with pytest.raises(KeyboardInterrupt):
            compare(M, r_hat, announce=stop)
    assert plans[0].rank == 4 < plans[1].rank < 80


def test_the_rank_of_the_question_can_be_asked_for():
    M = realistic(20)["noise"]
    for rank, expected in ((2, 2), ("full", 20), ("auto", 20)):
        assert compare(M, rank=rank, depth=2).targets.size == expected
    low = dlnlab.random_target((60, 60), 30, rng=0)
    assert compare(low, 30, depth=3, eps=0.3, t_end=1.0).plan.rank == 30  # its rank says enough
    for bad, error in ((0, ValueError), (21, ValueError), ("most", ValueError), (1.5, TypeError)):
        with pytest.raises(error, match=r"`rank` must be"):
            compare(M, rank=bad)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4)])
def test_rectangular_targets_are_judged_by_default(shape):
    c = compare(dlnlab.random_target(shape, 2, rng=0), 3, eps=0.2)
    assert c.settings["width"] == 4
    for claim in ("proposition1", "dominance", "theorem2_refined", "theorem2_sharp"):
        assert c.verdicts[claim].status in AGREES
    wide = compare(dlnlab.random_target(shape, 2, rng=0), 3, eps=0.2, width=7)
    assert {"balanced start"} <= unmet(wide, "dominance")


def test_an_interrupted_comparison_keeps_what_it_covered():
    def stop(done, total, loss):
        if done > 1.5:
            raise KeyboardInterrupt

    M = dlnlab.random_target((30, 30), 3, rng=0)
    with pytest.raises(dlnlab.Interrupted) as stopped:
        compare(M, 3, progress=stop)
    c = stopped.value.run
    assert c.original.status is dlnlab.Status.INTERRUPTED
    assert not c.coverage.whole
    assert "tested up to t = " in c.summary()


# Extremes.


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"eps": 1e-110}, "eps"),
        ({"eps": 1e-160, "depth": 2}, "eps"),
        ({"eps": 1e10}, "eps"),
        ({"depth": 10**9}, "depth"),
        ({"num_records": 10**9}, "num_records"),
    ],
)
def test_what_double_precision_cannot_hold_is_refused_by_name(options, name):
    with pytest.raises(ValueError, match=rf"`{name}` must be"):
        compare(np.diag([1.0, 0.5]), 2, **options)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200])
def test_targets_whose_flow_has_no_numbers_are_refused_by_name(size):
    with pytest.raises(ValueError, match=r"`M` must be"):
        compare(size * np.diag([1.0, 0.5]), 2)


@pytest.mark.parametrize(
    ("depth", "eps"),
    [(2, 1e-60), (2, 1e-130), (3, 1e-10), (3, 1e-60), (20, 0.5), (2, 1e4), (3, 1e4)],
)
def test_extreme_starts_end_and_refute_nothing(depth, eps):
    c = compare(dlnlab.random_target((4, 4), 2, rng=0), 2, depth=depth, eps=eps)
    assert "refuted" not in statuses(c).values()
    assert c.original.status is not dlnlab.Status.DIVERGED
    if depth == 2:
        assert c.coverage.whole
        assert c.verdicts["dominance"].status == "proved"
    if (depth, eps) == (3, 1e-60):  # after the first mode only rounding is left of the second
        assert c.coverage.escaped
        assert "rounding decides" in " ".join(c.summary().split())


@pytest.mark.parametrize("size", [1e80, 1e200])
def test_flows_that_overflow_end(size):
    problem = dlnlab.factorization(np.diag([1.0, 0.5]))
    run = dlnlab.gradient_flow(problem, [size * np.eye(2)] * 3, t_end=1.0, max_steps=20)
    assert run.status is dlnlab.Status.DIVERGED


def test_blocks_and_modules_agree_on_the_rounding_of_a_start():
    """Entries below `ROUNDING` are zero to the search for blocks, those above are not."""
    for off, trapped in ((0.1 * network.ROUNDING, [2]), (100 * network.ROUNDING, [])):
        Q = np.diag([1.0, -1.0, 1.0]) @ np.block(
            [[np.eye(1), np.zeros((1, 2))], [np.zeros((2, 1)), rotation(off)]]
        )
        start = (0.3 * np.eye(3), 0.3 * Q)
        c = compare(np.diag([1.0, 0.5, 0.0]), 2, depth=2, eps=0.3, weights=start)
        assert c.settings["trapped"] == trapped


def test_errors_are_in_the_units_of_the_margins():
    M = dlnlab.random_target((12, 12), 3, rng=0, singular_values=[3.0, 2.9, 2.8])
    c = compare(M, 5, eps=0.3)
    scale = np.sum(c.targets**2) + 12 * 0.3**6  # ‖M*‖² + dε^{2L}
    for name in ("theorem2_refined", "theorem2_sharp"):
        verdict = c.verdicts[name]
        k = verdict.witness["record"]
        assert verdict.error == pytest.approx(c.margin_error[k] / scale, rel=1e-9, abs=0)
        assert verdict.witness["time"] == pytest.approx(c.times[k], rel=1e-12)


def test_bounds_of_rounding_are_relative_to_what_they_bound():
    unit = np.finfo(float).eps
    none = theorem1.rounding(np.array([1.0]), 1e-3, 3, 0.1, 0, 4)
    assert none == pytest.approx(
        10 * 4 * 3 * unit, abs=0
    )  # no step: the start's own, of the layers
    layers = tuple(np.stack([5.0 * np.eye(2), np.eye(2)]) for _ in range(2))
    gradients, terms = np.zeros((2, 2, 2)), np.array([7.0, 0.0])
    bound = gauge.rounding(layers, gradients, terms, 0.1, 1.0, 0.0, 3)
    first = 3 * unit * (10.0 + 0.1 * 2 * 5.0 * 7.0)  # of size 10, and of the largest terms
    assert bound >= first / 10.0
    alone = gauge.rounding(tuple(W[:1] for W in layers), gradients[:1], terms[:1], 0.1, 1.0, 0.0, 3)
    assert alone == pytest.approx(first / 10.0, abs=0)


def test_the_exact_form_of_corollary_1_takes_any_batch_axes():
    rng, start = np.random.default_rng(0), 0.3
    target, original, compressed = rng.standard_normal((3, 2, 3, 4, 4))
    together = corollary1.margins(target, original, compressed, start, 2)
    for index in np.ndindex(2, 3):
        parts = (A[index] for A in (target, original, compressed))
        alone = corollary1.margins(*parts, start, 2)
        assert together[index] == pytest.approx(float(alone), rel=1e-12)
