"""The comparison of Theorem 2's two flows: its numbers, its grid, its verdicts."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest

import dlnlab
from dlnlab import networks, plotting
from dlnlab.claims import assumption1, dominance, proposition1, theorem2
from dlnlab.claims.verdict import Premise, judge
from dlnlab.flow import calls, network
from dlnlab.numerics import checks
from dlnlab.reductions import modes, parsimony

AGREES = ("proved", "conditional", "conjecture")
"""The statuses of a claim after an instance that meets its premises and does not refute it."""

HELD = {
    "proposition1": "proved",
    "assumption1": "not applicable",
    "theorem2": "not applicable",
    "theorem2_refined": "conditional",
    "theorem2_sharp": "conditional",
    "theorem2_any_eps": "conditional",
    "dominance": "conjecture",
}


@pytest.fixture(scope="module")
def comparison():
    M = dlnlab.random_target((30, 30), 3, rng=0, singular_values=[3.0, 2.0, 1.0])
    return dlnlab.flow.compare(M, 5, eps=0.05, rng=1)


def test_original_network_is_the_one_original_weights_draws(comparison):
    """The reduced, twice integrated flow against the plain integration of all layers."""
    c = comparison
    M = dlnlab.random_target((30, 30), 3, rng=0, singular_values=[3.0, 2.0, 1.0])
    wide = dlnlab.original_weights((30, 30), 3, 0.05, rng=1)
    run = dlnlab.gradient_flow(
        dlnlab.factorization(M),
        wide,
        t_end=float(c.times[-1]),
        times=c.times[1:-1],
        rtol=1e-11,
        record=("error", "singular_values", "end_to_end"),
    )
    n = run.times.size - 1  # the last record of either run may be its own end
    # The plain run has ten times the tolerance of the comparison's own second run's hundredth.
    slack = c.original_error.max()
    assert slack < 1e-6
    assert np.abs(c.original.singular_values[:n, :6] - run.singular_values[:n, :6]).max() < slack
    assert np.abs(c.original.errors[:n] - run.errors[:n]).max() < slack
    k = n // 2
    W, W_tilde = c.matrices(k)
    assert np.abs(W - run.end_to_end[k]).max() < slack
    assert np.linalg.norm(W - M) == pytest.approx(c.original.errors[k], rel=1e-12)
    assert np.linalg.norm(W_tilde - M) == pytest.approx(c.compressed.errors[k], rel=1e-10)
    margin = np.linalg.norm(W - M) ** 2 - np.linalg.norm(W_tilde - M) ** 2
    assert margin == pytest.approx(c.margin[k], abs=1e-12 * np.sum(M**2))


def test_compressed_network_agrees_with_the_integrated_one(comparison):
    c = comparison
    M = dlnlab.random_target((30, 30), 3, rng=0, singular_values=[3.0, 2.0, 1.0])
    problem = dlnlab.factorization(M)
    narrow = dlnlab.compressed_weights(problem, 5, 3, 0.05)
    run = dlnlab.gradient_flow(
        problem, narrow, t_end=float(c.times[-1]), times=c.times[1:], rtol=1e-12, stationarity=0
    )
    # rtol per step, amplified by 1/ε = 20 and a few hundred steps
    assert np.abs(run.singular_values[:, :6] - c.compressed.singular_values).max() < 1e-8
    assert np.abs(run.errors - c.compressed.errors).max() < 1e-8
    assert np.abs(run.losses - c.compressed.losses).max() < 1e-7


def test_verdicts_of_a_random_start(comparison):
    verdicts = comparison.verdicts
    assert {name: v.status for name, v in verdicts.items()} == HELD
    assert [p.name for p in verdicts["theorem2"].unmet] == ["aligned start"]
    assert verdicts["theorem2_refined"].margin > 0
    for verdict in verdicts.values():
        assert verdict.error < 1e-6
        json.dumps(verdict.to_dict(), allow_nan=False)


def test_the_grid_resolves_every_fitting(comparison):
    """No singular value of either network jumps by more than a tenth of the way in one record."""
    c = comparison
    for run in (c.original, c.compressed):
        jumps = np.abs(np.diff(run.singular_values[:, :3], axis=0)).max(axis=0)
        assert (jumps < 0.1 * c.targets).all()
    assert (np.diff(c.times) > 0).all()
    assert c.times[0] == 0


def test_fitting_times_and_constants(comparison):
    c = comparison
    exact = modes.fitting_times(c.targets, 0.05, 3, within=0.05)
    assert c.fitting_times.compressed == pytest.approx(exact, rel=1e-14)
    for i, t in enumerate(c.fitting_times.original):
        before = c.original.singular_values[c.times < t, i][-1]
        after = c.original.singular_values[c.times >= t, i]
        assert abs(before - c.targets[i]) > 0.05 * c.targets[i]
        assert (np.abs(after - c.targets[i]) <= 0.05 * c.targets[i]).all()
        # A steady approach: the largest distance after t_i is the one that defines t_i.
        assert c.c_val.original[i] == pytest.approx((0.05 * c.targets[i]) ** 2)
    assert (c.fitting_times.original > c.fitting_times.compressed).all()
    assert (c.c_vec.compressed == 0).all()
    assert (c.c_vec.original > 0).all()
    assert np.isnan(c.original.left_alignments[0]).all()  # all values equal: no vectors


def test_fitting_times_are_read_off_the_grid_accurately(comparison):
    """For the compressed network the exact times are known; a record's spacing is about 1 %."""
    c = comparison
    run = c.compressed
    read = assumption1.measure(
        c.times,
        run.singular_values[:, :3],
        run.left_alignments,
        run.right_alignments,
        c.targets,
        0.05,
    )
    assert read.fitting_times == pytest.approx(c.fitting_times.compressed, rel=2e-3)
    M = dlnlab.random_target((30, 30), 3, rng=0, singular_values=[3.0, 2.0, 1.0])
    wide = dlnlab.original_weights((30, 30), 3, 0.05, rng=1)
    times = np.linspace(0.0, c.times[-1], 6001)
    fine = dlnlab.gradient_flow(
        dlnlab.factorization(M), wide, t_end=times[-1], times=times[1:], stationarity=0
    )
    found = np.abs(fine.singular_values[:, :3] - c.targets) > 0.05 * c.targets
    last = [times[np.flatnonzero(column)[-1]] for column in found.T]
    assert c.fitting_times.original == pytest.approx(last, rel=2e-3)


@pytest.mark.parametrize("rtol", [1e-12, 1e-8, 1e-6, 1e-4])
def test_a_looser_tolerance_never_makes_a_claim_look_better(rtol):
    """c_vec = 0 is not met by being too noisy to tell, and noise refutes nothing."""
    M = dlnlab.random_target((12, 12), 2, rng=0)
    c = dlnlab.flow.compare(M, 4, eps=0.05, rng=1, rtol=rtol)
    assert c.verdicts["assumption1"].status == "not applicable"
    assert c.verdicts["theorem2"].status == "not applicable"
    assert "refuted" not in {v.status for v in c.verdicts.values()}
    for angle in (0.3, 1.0):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        start = (0.2 * turn, 0.2 * np.eye(2))
        c = dlnlab.flow.compare(np.diag([1.0, 0]), 2, depth=2, eps=0.2, weights=start, rtol=rtol)
        assert c.verdicts["theorem2"].status == "not applicable"
        assert c.verdicts["theorem2_refined"].status != "refuted"


@pytest.mark.parametrize("eps", [1e-4, 1e-8])
def test_tiny_starts_are_not_refuted_by_the_rounding_of_a_sum_of_squares(eps):
    M = dlnlab.random_target((40, 40), 4, rng=0)
    c = dlnlab.flow.compare(M, 4, depth=2, eps=eps, rng=1)
    assert c.verdicts["theorem2_refined"].status in AGREES
    assert c.verdicts["dominance"].status in AGREES
    assert c.margin_error.min() >= np.finfo(float).eps * c.original.errors.min() ** 2


def test_the_error_of_the_margin_covers_perturbed_matrices_and_the_rounding_of_their_squares():
    rng, unit = np.random.default_rng(0), np.finfo(float).eps
    for size in (1e-12, 1e-3, 1.0):
        target, W, V = rng.standard_normal((3, 50, 5, 5))
        moves = size * rng.standard_normal((2, 50, 5, 5))
        deltas = np.linalg.norm(moves, axis=(-2, -1))
        first, second = (np.linalg.norm(A - target, axis=(-2, -1)) for A in (W, V))
        margin, bound = (
            theorem2.margins(first, second),
            theorem2.margin_error(first, second, *deltas, 5),
        )
        moved = (
            np.linalg.norm(A + D - target, axis=(-2, -1))
            for A, D in zip((W, V), moves, strict=True)
        )
        assert (np.abs(theorem2.margins(*moved) - margin) <= bound).all()
        assert (bound >= unit * (first**2 + second**2)).all()
    # moved straight away from the target, W uses the bound up: (e + δ)² − e² = (2e + δ) δ
    none = np.zeros(1)
    bound = theorem2.margin_error(np.ones(1), none, 0.5 * np.ones(1), none, 1)
    assert bound[0] == pytest.approx(1.5**2 - 1)


def test_single_precision_is_computed_in_double():
    M = dlnlab.random_target((20, 20), 3, rng=0).astype(np.float32)
    target = dlnlab.random_target((9, 8), 2, rng=0, factored=True)
    single = dlnlab.FactoredTarget(*(part.astype(np.float32) for part in target.svd))
    for problem, r_hat in ((M, 20), (single, 2)):
        c = dlnlab.flow.compare(problem, r_hat, eps=0.2, width=min(problem.shape))
        assert c.original.singular_values.dtype == np.float64
        assert "refuted" not in {v.status for v in c.verdicts.values()}
        assert c.verdicts["dominance"].status in AGREES
        assert np.linalg.norm(c.matrices(-1).original) > 0


def test_the_margin_and_its_witness_are_the_lowest_seen(comparison):
    c = comparison
    verdict = c.verdicts["theorem2"]
    assert verdict.margin == pytest.approx(c.margin.min() / np.sum(c.targets**2))
    assert c.times[c.margin.argmin()] == verdict.witness["time"]


@pytest.mark.parametrize(("depth", "eps"), [(2, 0.2), (3, 0.3), (4, 0.4), (5, 0.5)])
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_holds_for_other_depths_and_normalizations(depth, eps, normalization):
    M = dlnlab.random_target((8, 8), 2, rng=3, singular_values=[2.0, 1.5])
    c = dlnlab.flow.compare(M, 2, depth=depth, eps=eps, rng=5, normalization=normalization)
    forms = ("theorem2_refined", "theorem2_sharp", "theorem2_any_eps")
    settled = dict.fromkeys(("dominance", *forms), "proved")
    expected = HELD | (settled if depth == 2 else {})
    assert {name: v.status for name, v in c.verdicts.items()} == expected
    assert (c.margin >= -c.margin_error).all()


def test_a_start_above_every_target_is_covered_by_the_form_for_every_eps():
    """L = 2, so dominance is proved, and so is the form that asks nothing of ε."""
    M = dlnlab.random_target((5, 5), 1, rng=0)
    c = dlnlab.flow.compare(M, 3, depth=2, eps=1.5, rng=1)
    verdict = c.verdicts["theorem2_any_eps"]
    assert (verdict.status, verdict.unmet) == ("proved", ())
    assert c.verdicts["theorem2_sharp"].status == "not applicable"
    below = theorem2.below_start(c.targets, 1.5**2)
    assert below == 1
    assert c.margin.min() >= -c.margin_error.max()  # r̂ = 3 = d − 2r: no correction is needed


def test_mean_normalization_only_stretches_time():
    M = dlnlab.random_target((6, 6), 1, rng=0)
    total, mean = (dlnlab.flow.compare(M, 1, eps=0.2, normalization=n) for n in ("sum", "mean"))
    ratio = mean.fitting_times.original / total.fitting_times.original
    assert ratio == pytest.approx(36.0, rel=1e-3)  # both read off grids of 400 records


def test_theorem_2_as_stated_fails_for_spare_dimensions():
    """A counterexample: M = diag(1, 0), L = 2, r̂ = 2, a rotated start (see docs/mathematics.md)."""
    angle = 2.0
    Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    weights = (0.3 * np.eye(2), 0.3 * Q)
    c = dlnlab.flow.compare(np.diag([1.0, 0.0]), 2, depth=2, eps=0.3, weights=weights)
    assert c.verdicts["theorem2"].margin < -c.verdicts["theorem2"].error
    assert c.verdicts["theorem2"].status == "not applicable"
    assert c.verdicts["theorem2_refined"].status in AGREES
    assert (c.margin + c.residual**2 >= -c.margin_error).all()


def test_premises_that_fail_are_named():
    M = dlnlab.random_target((6, 6), 3, rng=0)

    def unmet(c, claim):
        return {p.name for p in c.verdicts[claim].unmet}

    low = dlnlab.flow.compare(M, 2, eps=0.2)
    assert "r_hat >= r" in unmet(low, "theorem2_refined")
    assert np.isinf(low.fitting_times.compressed[2])
    assert low.compressed.errors[-1] == pytest.approx(low.targets[2], rel=1e-6)
    large = dlnlab.flow.compare(M, 3, eps=0.95)
    assert unmet(large, "theorem2_refined") == {"eps^L <= sigma_r"}
    wide = dlnlab.flow.compare(M[:4], 3, eps=0.2, width=6)  # hidden width 6 > 4: not balanced
    assert "balanced start" in unmet(wide, "proposition1")
    assert {v.status for v in wide.verdicts.values()} == {"not applicable"}
    narrow = dlnlab.flow.compare(M[:4], 3, eps=0.2)
    assert narrow.settings["width"] == 4
    assert narrow.verdicts["proposition1"].status in AGREES


def test_start_without_a_reduction_is_integrated_in_full():
    M = dlnlab.random_target((6, 6), 2, rng=0)
    weights = dlnlab.original_weights((6, 6), 3, 0.2, rng=1, init="gaussian")
    c = dlnlab.flow.compare(M, 2, eps=0.2, weights=weights)
    assert c.settings["reduced_dimension"] == 6
    assert np.linalg.norm(c.matrices(-1).original - M) == pytest.approx(c.original.errors[-1])
    assert {p.name for p in c.verdicts["dominance"].unmet} == {"balanced start", "same start"}


def test_start_that_cannot_escape_ends_and_says_so():
    """For a 1 × 1 target and W(0) < 0 the sign is conserved: the flow tends to zero."""
    weights = (np.array([[-0.3]]), np.array([[0.3]]))
    c = dlnlab.flow.compare(np.array([[1.0]]), 1, depth=2, eps=0.3, weights=weights)
    assert c.settings["trapped"] == [1]
    assert c.coverage.whole
    assert np.isinf(c.fitting_times.original[0])
    assert np.isnan(c.c_vec.original[0])
    assert c.verdicts["assumption1"].status == "not applicable"
    assert c.verdicts["theorem2_refined"].status in AGREES


@pytest.mark.parametrize("rank", [4, 5, 8])
def test_rank_at_and_beyond_half_the_dimension(rank):
    M = dlnlab.random_target((8, 8), rank, rng=0)
    c = dlnlab.flow.compare(M, rank, eps=0.4, rng=1)
    assert c.settings["reduced_dimension"] == 8
    assert c.verdicts["dominance"].status in AGREES


def test_repeated_singular_values_are_compared_as_subspaces():
    M = dlnlab.random_target((10, 10), 3, rng=0, singular_values=[2.0, 2.0, 1.0])
    c = dlnlab.flow.compare(M, 3, eps=0.1)
    assert c.verdicts["dominance"].status in AGREES
    assert (c.original.left_alignments[-1] > 0.999).all()


def test_factored_target_agrees_with_the_dense_one_fed_the_same_frame(monkeypatch):
    target = dlnlab.random_target((40, 40), 2, rng=0, factored=True)
    formed = dlnlab.flow.compare(target, 3, eps=0.1, rng=2)
    assert formed.matrices(0).original.shape == (40, 40)
    monkeypatch.setattr(network, "FORMED_UP_TO", 10)
    c = dlnlab.flow.compare(target, 3, eps=0.1, rng=2)
    stream = checks.generator("rng", 2, "network")
    frame = dlnlab.targets.orthonormal_frame(40, 2, stream)
    # Any orthogonal Q with QV = F is the same network to the reduction.
    V = target.Vh.T
    rest_in = np.linalg.qr(V, mode="complete")[0][:, 2:]
    rest_out = np.linalg.qr(frame, mode="complete")[0][:, 2:]
    Q = frame @ V.T + rest_out @ rest_in.T
    weights = (0.1 * np.eye(40), 0.1 * np.eye(40), 0.1 * Q)
    problem = dlnlab.factorization(target.to_dense())
    run = dlnlab.gradient_flow(problem, weights, t_end=c.times[-1], times=c.times[1:], rtol=1e-11)
    n = run.times.size - 1
    gap = np.abs(c.original.singular_values[:n] - run.singular_values[:n, :4])
    assert gap.max() <= c.original_error.max()
    assert c.original.errors[:n] == pytest.approx(run.errors[:n], abs=c.original_error.max())
    with pytest.raises(ValueError, match=r"never formed the wide network"):
        c.matrices(0)


def test_a_million_rows():
    target = dlnlab.random_target((10**6, 10**6), 2, rng=0, factored=True)
    c = dlnlab.flow.compare(target, 2, eps=0.1)
    assert c.settings["reduced_dimension"] == 5
    assert {name: v.status for name, v in c.verdicts.items()} == HELD
    size = float(np.sum(c.targets**2))
    # ‖W(0) − M‖² = dε^{2L} − 2ε^L tr(QᵀM) + ‖M‖², and |tr(QᵀM)| ≤ Σσ
    assert abs(c.original.errors[0] ** 2 - (1.0 + size)) <= 2e-3 * np.sum(c.targets) + 1e-9


def test_export(comparison):
    arrays = comparison.to_dict()
    assert arrays["original_singular_values"].shape == (comparison.times.size, 6)
    data = comparison.to_xarray()
    assert set(data.coords) == {"time", "network", "mode", "target_mode"}
    found = data.errors.sel(network="original").values
    assert found.tolist() == comparison.original.errors.tolist()
    assert data.fitting_times.dims == ("network", "target_mode")
    assert "r_hat" in data.attrs


def test_notebook_faces(comparison):
    assert "t_i original" in comparison.summary()
    assert repr(comparison) == comparison.summary()
    assert "<table" in comparison._repr_html_()
    assert comparison.plot().__class__ is plotting.comparison(comparison).__class__


# Faults: each must turn a verdict that holds into one that does not.


def _statuses(**options):
    M = dlnlab.random_target((12, 12), 2, rng=0, singular_values=[2.0, 1.0])
    c = dlnlab.flow.compare(M, 3, eps=0.2, rng=1, **options)
    return {name: v.status for name, v in c.verdicts.items()}


def test_without_faults_the_claims_hold():
    assert _statuses() == HELD


def test_fault_alpha_on_the_wrong_layers_is_caught(monkeypatch):
    """The original network running 1.5 times as fast in one layer overtakes the bound."""
    honest, honest_calls = networks.backward, calls.downhill

    def fast(weights, prefixes, gradient, out=None):
        gradients = honest(weights, prefixes, gradient, out)
        gradients[0][...] *= 3
        return gradients

    def fast_calls(problem, weights, outs):
        lists = honest_calls(problem, weights, outs)
        return [
            [*c, functools.partial(np.multiply, out[0], 3, out[0])]
            for c, out in zip(lists, outs, strict=True)
        ]

    monkeypatch.setattr(networks, "backward", fast)
    monkeypatch.setattr(calls, "downhill", fast_calls)
    statuses = _statuses()
    assert statuses["dominance"] not in AGREES
    assert statuses["proposition1"] not in AGREES


def test_fault_root_eps_is_caught(monkeypatch):
    """Layers with singular value √ε, as Eq. (3) prints it, are not the start of the claims."""
    honest = networks.original_weights

    def root(shape, depth, eps, **options):
        return honest(shape, depth, eps**0.5, **options)

    monkeypatch.setattr(networks, "original_weights", root)
    assert _statuses()["dominance"] == "not applicable"


def test_fault_in_the_reduced_target_is_caught(monkeypatch):
    """With V's coordinates in place of U's the reduction no longer has the full network's loss."""
    honest = parsimony._invariant_bases

    def mixed(Q, U, V):
        bases, _, right = honest(Q, U, V)
        R = np.linalg.qr(right)[0]
        return bases, R, right

    M = dlnlab.random_target((12, 12), 2, rng=0)
    wide = dlnlab.original_weights((12, 12), 3, 0.2, rng=1)
    problem = dlnlab.factorization(M)
    monkeypatch.setattr(parsimony, "_invariant_bases", mixed)
    reduction = parsimony.reduce(problem, wide)
    W = networks.end_to_end(reduction.weights)
    gap = abs(reduction.problem.loss(W) - problem.loss(networks.end_to_end(wide)))
    assert gap > 1e-6


def test_fault_wrong_residual_in_the_refined_bound_is_caught():
    """Without the (r̂ − r)β^{2L} term the refined inequality fails on the counterexample."""
    angle = 2.0
    Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    c = dlnlab.flow.compare(
        np.diag([1.0, 0.0]), 2, depth=2, eps=0.3, weights=(0.3 * np.eye(2), 0.3 * Q)
    )
    errors = c.original.errors, c.compressed.errors
    good = theorem2.refined_margins(*errors, 1, c.residual)
    bad = theorem2.refined_margins(*errors, 0, c.residual)
    assert (good >= -c.margin_error).all()
    assert (bad < -c.margin_error).any()


@pytest.mark.parametrize("rtol", [1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize(("depth", "eps"), [(2, 0.05), (2, 0.1), (3, 0.1), (3, 0.3), (4, 0.3)])
def test_numerical_error_bound_covers_the_error(depth, eps, rtol):
    """An original network that starts aligned, Q = UVᵀ, is the compressed one, in closed form."""
    M = dlnlab.random_target((6, 6), 3, rng=1, singular_values=[3.0, 2.0, 1.0])
    U, _, Vh = np.linalg.svd(M)
    weights = (*[eps * np.eye(6)] * (depth - 1), eps * U @ Vh)
    c = dlnlab.flow.compare(M, 6, depth=depth, eps=eps, weights=weights, rtol=rtol)
    off = np.abs(c.original.singular_values - c.compressed.singular_values).max(axis=1)
    assert (off <= c.original_error + 1e-13).all()  # 1e-13: rounding of the closed form
    statuses = AGREES if rtol == 1e-12 else (*AGREES, "not applicable")
    assert c.verdicts["dominance"].status in statuses
    assert (np.abs(c.margin) <= c.margin_error + 1e-13).all()


# The parts a comparison is judged with.


def test_judge_never_calls_a_claim_tested_without_its_premises():
    bad = Premise("p", "something", -1.0, 0.1)
    assert judge("c", "s", 1.0, 0.0, [bad], {}).status == "not applicable"
    assert judge("c", "s", -1.0, 0.0, [bad], {}).status == "not applicable"
    good = Premise("p", "something", -0.05, 0.1)
    assert judge("c", "s", -1.0, 0.5, [good], {}).status == "refuted"
    assert judge("c", "s", -0.4, 0.5, [good], {}).status == "conjecture"
    assert judge("c", "s", float("nan"), 0.5, [good], {}).status == "not applicable"
    assert not Premise("p", "something", float("nan"), 1.0).met
    text = str(judge("c", "s", 1.0, 0.0, [bad], {}))
    assert "not applicable (unmet: p)" in text
    assert judge("c", "s", 1.0, float("inf"), [good], {}).status == "not applicable"
    plain = judge("c", "s", float("nan"), float("inf"), [], {"k": np.float64(1.0)}).to_dict()
    assert (plain["margin"], plain["error"], plain["witness"]) == (None, "inf", {"k": 1.0})


def test_proposition1_margin_fails_off_balance():
    rng = np.random.default_rng(0)
    M = rng.standard_normal((4, 4))
    problem = dlnlab.factorization(M)

    def margin(weights):
        G = problem.gradient(networks.end_to_end(weights))
        return float(proposition1.margins(weights, G, np.linalg.norm(M, 2)))

    balanced = dlnlab.original_weights((4, 4), 3, 0.5, rng=1)
    unbalanced = (2 * balanced[0], balanced[1], balanced[2] / 2)
    assert margin(balanced) > -1e-13  # rounding: 4 dimensions, a few products
    assert margin(unbalanced) < -1e-2
    assert proposition1.balancedness(balanced).met
    assert not proposition1.balancedness(unbalanced).met


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-4])
def test_proposition1_error_covers_what_a_drift_does_but_not_the_start(size):
    M, *changes = np.random.default_rng(0).standard_normal((4, 4, 4))
    balanced = dlnlab.original_weights((4, 4), 3, 0.5, rng=1)
    # of all layers: one alone changes both sides of Eq. (23) alike, to first order
    drifted = [W + size * change for W, change in zip(balanced, changes, strict=True)]
    layers = tuple(np.stack(pair) for pair in zip(balanced, drifted, strict=True))
    start, later = proposition1.numerical_error(layers)
    gradient = dlnlab.factorization(M).gradient(dlnlab.end_to_end(layers))
    margin = proposition1.margins(layers, gradient, float(np.linalg.norm(gradient[0], 2)))
    assert size / 10 < -margin[1] <= later
    assert start < 1e-12  # of rounding alone
    unbalanced = tuple(np.stack([W, W]) for W in (2 * balanced[0], *balanced[1:]))
    assert np.all(proposition1.numerical_error(unbalanced) < 1e-12)


def test_assumption1_measures_waiting():
    """Hand-made trajectories: the second value rises before the first is fitted."""
    t = np.array([0.0, 1.0, 2.0, 3.0])
    values = np.array([[0.0, 0.0], [0.5, 0.3], [1.0, 0.3], [1.0, 0.5]])
    ones = np.ones((4, 2))
    c = assumption1.measure(t, values, ones, ones, np.array([1.0, 0.5]), 0.1)
    assert c.fitting_times.tolist() == pytest.approx([1.8, 2.75])
    assert c.waiting.tolist() == pytest.approx([0.6])
    assert c.c_vec.tolist() == [0.0, 0.0]
    late = dataclasses.replace(c, fitting_times=np.array([1.8, np.inf]))
    assert not assumption1.all_fitted(late).met


def test_dominance_margin_and_same_start():
    assert dominance.margins(np.array([[1.0, 0.5]]), np.array([[1.5, 0.25]])).tolist() == [-0.25]
    assert dominance.same_start(np.array([0.1, 0.1]), 0.1, 0.0).met
    assert not dominance.same_start(np.array([0.1, 0.2]), 0.1, 0.1).met


def test_a_start_that_is_a_target_up_to_rounding():
    eps = 0.5 ** (1 / 3)
    assert eps**3 != 0.5
    c = dlnlab.compare(np.diag([1.0, 0.5, 0.0, 0.0]), 3, depth=3, eps=eps)
    assert c.verdicts["theorem2_refined"].status in AGREES
