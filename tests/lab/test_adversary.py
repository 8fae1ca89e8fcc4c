"""The continuous climb finds what is planted, and looks at what its docstring says."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy import linalg

import dlnlab
from dlnlab import networks, problems
from dlnlab.claims import dominance
from dlnlab.lab import adversary
from dlnlab.lab.adversary import Found, TurnedStart
from dlnlab.lab.tally import Tally

STEP = 0.1
"""Step size of the gradient descent that is passed off as the flow."""


def turned(spectrum, angle, depth=3, eps=0.7) -> TurnedStart:
    """Turn the first and the last of the target's singular vectors by an angle."""
    Q = np.eye(len(spectrum))
    Q[0, 0] = Q[-1, -1] = np.cos(angle)
    Q[0, -1], Q[-1, 0] = -np.sin(angle), np.sin(angle)
    return TurnedStart(tuple(spectrum), tuple(map(tuple, Q.tolist())), depth, eps)


def alone(instance) -> Found:
    return adversary._found(instance, adversary._horizon([instance]), 1)


def drawn(size, depth, seed=0) -> TurnedStart:
    low, high = np.array(adversary._bounds(size)).T
    point = np.random.default_rng(seed).uniform(low, high)
    return adversary._instance(point, size, depth)


# ---------------------------------------------------------------------- what stands


@pytest.mark.parametrize(("size", "depth"), [(2, 3), (3, 3), (3, 4), (4, 3)])
def test_dominance_stands(size, depth):
    found = adversary.search(size, depth, evaluations=60, seed=5)
    assert found.margin >= -found.error
    assert 0 < found.objective < 1, "the climb has not left the start, where ρ is near 1"
    assert 2 <= found.mode <= size
    assert abs(found.evaluations - 60) < 30


def test_the_climb_gets_lower():
    first, later = (adversary.search(2, 3, evaluations=n, seed=1).objective for n in (5, 150))
    assert later < 0.9 * first


def test_the_same_seed_finds_the_same():
    first, again, other = (adversary.search(2, 4, evaluations=20, seed=s) for s in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_two_near_equal_targets_reach_the_predicted_ratio(depth):
    """The docstring's asymptotic value, approached from above as ε^L → 0."""
    found = [
        alone(turned((1.0, 0.999), 1e-2, depth, start ** (1 / depth))).objective
        for start in (1e-2, 1e-3)
    ]
    limit = (depth - 2) / (4 * (3 * depth - 2))
    assert limit < found[1] < found[0]
    assert found[1] < 1.12 * limit


# ---------------------------------------------------------------------- what is planted


def slowed(right):
    return lambda instance, times: right(instance, 0.985 * times)


def test_a_slow_bound_is_found(monkeypatch):
    monkeypatch.setattr(adversary, "_compressed", slowed(adversary._compressed))
    found = adversary.search(3, 3, evaluations=40, seed=0)
    assert found.objective < 0
    assert found.margin < -10 * found.error


def descended(instances, times, rtol):
    """Return W after t / STEP steps of gradient descent."""
    targets = np.stack([np.diag(instance.spectrum) for instance in instances])
    layers = zip(*(instance.weights() for instance in instances), strict=True)
    counts = np.rint(times / STEP).astype(int)
    run = dlnlab.gradient_descent(
        problems.factorization(targets),
        tuple(np.stack(layer) for layer in layers),
        eta=STEP,
        num_steps=int(counts[-1]),
        record=("layers",),
    )
    return networks.prefix_products(run.layers)[-1][counts]


def test_gradient_descent_passed_off_as_the_flow_is_found(monkeypatch):
    """It approaches the targets as (1 − ηλ)^k, faster than e^{−ληk}."""
    right = adversary._times
    monkeypatch.setattr(
        adversary, "_times", lambda horizon: np.unique(np.rint(right(horizon) / STEP)) * STEP
    )
    monkeypatch.setattr(adversary, "_wide", descended)
    found = adversary.search(2, 3, evaluations=40, seed=0)
    assert found.objective < 0
    assert -STEP < found.margin < -10 * found.error


def unbalanced(instance):
    first, *inner, last = TurnedStart.balanced(instance)
    return (2 * first, *inner, last / 2)


def test_an_unbalanced_start_is_found_and_does_not_count(monkeypatch):
    monkeypatch.setattr(TurnedStart, "balanced", TurnedStart.weights, raising=False)
    monkeypatch.setattr(TurnedStart, "weights", unbalanced)
    tally = Tally(dominance.CLAIM)
    found = adversary.attack(tally, 2, 3, evaluations=60)
    assert found.margin < -10 * found.error
    assert (tally.instances, tally.outside) == (0, found.evaluations)
    assert tally.verdict().status == "not applicable"


def test_a_violation_too_small_for_the_unit_still_counts():
    instance = turned((1.0, 0.5), 0.0)
    times, bound = np.array([0.0, 1.0]), np.full((2, 1, 2), 0.4)
    errors = np.full((2, 1, 1), 1e-12)
    small = adversary._ratios([instance], times, bound, np.full((2, 1, 2), -1e-11), errors)
    none = adversary._ratios([instance], times, bound, np.full((2, 1, 2), -1e-13), errors)
    assert np.all(small < 0)
    assert np.all(none == 1)


# ---------------------------------------------------------------------- what a search counts as


def test_an_attack_counts_its_instances():
    tally = Tally(dominance.CLAIM)
    found = adversary.attack(tally, 2, 3, evaluations=40, seed=2)
    verdict = tally.verdict()
    assert (verdict.status, verdict.instances) == ("conjecture", found.evaluations)
    assert {premise.name for premise in verdict.premises} == {"balanced start", "same start"}
    instance = json.loads(json.dumps(dict(verdict.witness)))["instance"]
    assert rebuilt(instance) == found.instance


def rebuilt(plain) -> TurnedStart:
    return TurnedStart(
        tuple(plain["spectrum"]),
        tuple(map(tuple, plain["turn"])),
        plain["depth"],
        plain["eps"],
    )


def test_what_was_found_can_be_measured_again():
    found = adversary.search(3, 3, evaluations=60, seed=0)
    instance = rebuilt(asdict(found)["instance"])
    assert adversary._found(instance, found.horizon, found.evaluations) == found
    assert isinstance(found, Found)


# ---------------------------------------------------------------------- instances


def test_instances_are_as_described():
    drawings = [drawn(4, 3, seed) for seed in range(200)]
    repeated = zeros = mirrored = 0
    for instance in drawings:
        spectrum, Q = np.array(instance.spectrum), np.array(instance.turn)
        assert np.all(np.diff(spectrum) <= 0)
        assert max(spectrum[0], instance.eps**3) == pytest.approx(1)
        np.testing.assert_allclose(Q @ Q.T, np.eye(4), atol=1e-13)
        repeated += bool(np.any((np.diff(spectrum) == 0) & (spectrum[1:] > 0)))
        zeros += bool(spectrum[-1] == 0)
        mirrored += bool(np.linalg.det(Q) < 0)
    assert min(repeated, zeros, mirrored) > 20, (repeated, zeros, mirrored)
    assert max(zeros, mirrored) < 180, (zeros, mirrored)


def test_the_flow_has_the_scaling_symmetry():
    instance, c = turned((1.0, 0.8, 0.3), 1.0, 4), 1.3
    larger = TurnedStart(
        tuple(c**4 * s for s in instance.spectrum), instance.turn, 4, c * instance.eps
    )
    times = np.linspace(0, 8, 9)
    W = adversary._wide([instance], times, 1e-12)
    scaled = adversary._wide([larger], times * c ** (2 - 2 * 4), 1e-12)
    assert np.ptp(W[:, 0, 0, 0]) > 0.1, "nothing moves"
    np.testing.assert_allclose(scaled, c**4 * W, atol=1e-9)
    first, second = (adversary._misalignments(x) for x in (instance, larger))
    np.testing.assert_allclose(second, c**4 * first, atol=1e-14)


def test_the_first_margins_are_fan_and_hoffmans():
    instance = drawn(3, 3, seed=4)
    spectrum, Q = np.array(instance.spectrum), np.array(instance.turn)
    forcing = Q.T * spectrum
    deficits = spectrum - np.linalg.eigvalsh((forcing + forcing.T) / 2)[::-1]
    assert np.all(deficits >= 0)
    times = np.array([0.0, 1e-5])
    bound = adversary._compressed(instance, times)
    values = np.linalg.svd(adversary._wide([instance], times, 1e-13)[:, 0], compute_uv=False)
    expected = 3 * instance.eps**4 * deficits * times[1]
    np.testing.assert_allclose((bound - values)[1], expected, rtol=1e-3, atol=1e-13)


def test_near_alignment_the_planes_add_up():
    """To second order in A, Q = exp A, mode i is late by what its planes (i, k) make it late."""
    spectrum, times = (1.0, 0.7, 0.4), np.linspace(0, 8, 9)
    A = 3e-3 * np.array([[0.0, 1.0, -2.0], [-1.0, 0.0, 1.5], [2.0, -1.5, 0.0]])

    def margins(values, skew):
        turn = tuple(map(tuple, linalg.expm(skew).tolist()))
        instance = TurnedStart(values, turn, 3, 0.6)
        W = adversary._wide([instance], times, 1e-13)[:, 0]
        return adversary._compressed(instance, times) - np.linalg.svd(W, compute_uv=False)

    total = np.zeros((times.size, 3))
    for pair in ([0, 1], [0, 2], [1, 2]):
        total[:, pair] += margins(tuple(spectrum[i] for i in pair), A[np.ix_(pair, pair)])
    assert np.all(total[1:4] > 1e-9)
    together = margins(spectrum, A)
    np.testing.assert_allclose(together, total, rtol=1e-3, atol=1e-11)


def test_a_mode_can_be_driven_by_more_than_its_target_and_stay_behind():
    """So no comparison of single rates proves dominance from d = 3 on."""
    excess, margin = -np.inf, np.inf
    for seed in range(20):
        instance, times = drawn(3, 3, seed), np.linspace(0, 10, 200)
        W = adversary._wide([instance], times, 1e-10)[:, 0]
        U, values, Vh = np.linalg.svd(W)
        drive = np.einsum("tai,a,tia->ti", U, np.array(instance.spectrum), Vh)
        excess = max(excess, np.max(drive[1:] - instance.spectrum))
        margin = min(margin, np.min(adversary._compressed(instance, times) - values))
    assert excess > 0.1
    assert margin > -1e-9


def test_misalignment_is_the_smallest_residual():
    instance = drawn(3, 3, seed=4)
    spectrum, Q = np.array(instance.spectrum), np.array(instance.turn)
    P, rng = Q.T * spectrum, np.random.default_rng(0)
    x = rng.standard_normal((100_000, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for s, found in zip(spectrum, adversary._misalignments(instance), strict=True):
        sides = [np.sum((x @ (side - s * np.eye(3)).T) ** 2, axis=1) for side in (P, P.T)]
        sampled = np.min(sides[0] + sides[1]) / spectrum[0]
        assert found <= sampled <= found + 0.01


@pytest.mark.parametrize("angle", [1e-2, 1e-3])
def test_aligned_modes_alone_have_no_misalignment(angle):
    values = adversary._misalignments(turned((1.0, 0.8, 0.5), angle))
    assert values[1] < 1e-30
    # min_y (gy + σ_i)² + (gy − σ_j)² = (σ_i + σ_j)²/2, the best x being e_i + yθe_j
    np.testing.assert_allclose(values[[0, 2]], angle**2 * (1 + 0.5) ** 2 / 2, rtol=1e-3)


def test_the_error_bound_covers_an_aligned_flow():
    instances = [drawn(3, 3, seed) for seed in range(10)]
    aligned = [
        TurnedStart(x.spectrum, tuple(map(tuple, np.eye(3).tolist())), 3, x.eps) for x in instances
    ]
    records = adversary._flows(aligned, 10.0, 1e-10)
    assert np.all(np.abs(records.margins) <= records.errors[..., None])
    assert np.max(np.abs(records.margins)) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "`size` must be an integer >= 2, got 1"),
        ({"depth": 1}, "`depth` must be an integer >= 2, got 1"),
        ({"evaluations": 4}, "`evaluations` must be an integer >= 5, got 4"),
        ({"seed": -1}, "`seed` must be an integer >= 0, got -1"),
    ],
)
def test_bad_input_is_refused(options, message):
    arguments = {"size": 2, "depth": 3, "evaluations": 10, "seed": 0} | options
    with pytest.raises(ValueError, match=message):
        adversary.search(**arguments)


def test_every_mode_is_isolated_now_and_then(monkeypatch):
    """In a search each of them has an equal share of the coordinate that chooses."""
    chosen = []
    monkeypatch.setattr(
        adversary,
        "_rotation",
        lambda angles, size, mode, coupling: chosen.append(mode) or np.eye(3),
    )
    low, high = np.array(adversary._bounds(3)).T
    for share in np.linspace(0.01, 1, 60):
        adversary._instance(low + share * (high - low), 3, 2)
    assert [chosen.count(mode) for mode in range(3)] == [20, 20, 20]
