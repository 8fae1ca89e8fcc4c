"""One name, one statement, one status: in the registry, in every command, and on the pages."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from dlnlab.validations import MODULES, eq13_large_start

import dlnlab
from dlnlab import claims, proofs, report
from dlnlab.claims import CLAIMS, Claim, Setting, Standing, Verdict, Witness, judge
from dlnlab.claims.claim import STATUSES
from dlnlab.cli import main
from dlnlab.lab import witnesses

REFUTED = [name for name, claim in CLAIMS.items() if claim.standing().status == "refuted"]
OF_NETWORKS = [n for n in REFUTED if isinstance(CLAIMS[n].standing().witness, Witness)]

LISTED = {
    "theorem2": "proved",
    "theorem2_refined": "conditional",
    "theorem2_sharp": "conditional",
    "theorem2_any_eps": "conditional",
    "eq13_compressing": "conditional",
    "eq13_any_start": "refuted",
    "eq13_small_c_vec": "refuted",
    "eq13_large_start": "refuted",
    "eq13_descent": "refuted",
    "eq13_half_step": "conjecture",
    "dominance": "conjecture",
    "dominance_descent": "refuted",
    "generally_c_vec_0": "refuted",
    "eq26": "refuted",
    "thresholding_recovers": "refuted",
    "invariant_subspace": "refuted",
    "equal_accuracy": "refuted",
}
"""What is known of the paper's Theorem 2, of what is read into it and what it rests on; and what
convergence, or a small distance from record to record, is taken for."""


def setting(**changes):
    usual = {
        "shape": (4, 4),
        "depth": 3,
        "targets": np.array([1.0, 0.5]),
        "start": 0.1,
        "r_hat": 2,
    }
    return Setting(**(usual | changes))


# ---------------------------------------------------------------------- the registry itself


def test_the_statuses_are_as_derived():
    assert {name: CLAIMS[name].standing().status for name in LISTED} == LISTED


def test_names_and_statements_are_unique_and_nothing_is_left_open():
    assert len({claim.statement for claim in CLAIMS.values()}) == len(CLAIMS)
    assert len({claim.title for claim in CLAIMS.values()}) == len(CLAIMS)
    assert all(name == claim.name for name, claim in CLAIMS.items())
    assert tuple(MODULES) == tuple(CLAIMS)


def test_what_a_standing_rests_on_exists():
    for claim in CLAIMS.values():
        for standing in claim.standings:
            assert set(standing.proofs) <= set(proofs.MODULES), claim.name
            assert standing.proofs or standing.status in ("conjecture", "refuted"), claim.name
            assert not standing.condition or standing.condition in CLAIMS


def test_every_scope_can_be_met_and_the_first_decides():
    dominance = CLAIMS["dominance"]
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    core = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    for change, scope in (
        ({"depth": 2}, "L = 2"),
        ({"shape": (2, 2)}, "2 × 2"),
        ({"shape": (2, 5)}, "all other"),
        ({"targets": np.array([3.0])}, "targets with every σ_i* equal to σ_1* or at most 2ε^L"),
        ({"targets": np.array([1.0, 1.0])}, "targets with every"),
        ({"targets": np.array([1.0, 0.19])}, "targets with every"),
        ({"core": turn}, "square QᵀM* that are normal"),
        ({"core": np.kron(np.eye(2), core[:2, :2]), "shape": (4, 4)}, "square QᵀM*"),
        ({"core": turn, "shape": (5, 3)}, "all other"),
        ({"shape": (2, 2), "depth": 2}, "L = 2"),
        ({"core": core}, "all other"),
        ({}, "all other"),
    ):
        found = dominance.standing(setting(**change))
        assert found.scope.startswith(scope)
        assert (found.status == "proved") == (scope != "all other")
    equal = setting(targets=np.array([1.0, 1.0]))
    assert CLAIMS["theorem2_sharp"].standing(equal).status == "proved"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Standing("shown"), "`status` must be one of"),
        (lambda: Standing("conditional"), "`condition` must be given exactly"),
        (lambda: Standing("refuted"), "`witness` must be given exactly"),
        (lambda: Claim("a", "A", "a", "b", ()), "`standings` of a must end in one that covers"),
        (
            lambda: Claim("a", "A", "a", "b", (Standing("proved", covers=lambda s: True),)),
            "must end in one that covers every instance",
        ),
        (lambda: Verdict("a", "b", "PROVEN!!", 0.0, 0.0), "`status` must be one of"),
        (lambda: Verdict("a", "b", "proved", 0.0, 0.0, instances=-7), "`instances` must be"),
        (lambda: judge("a", "b", -1.0, -0.1, [], {}), "`error` must be >= 0"),
        (
            lambda: dataclasses.replace(witness("eq13_descent"), cosine=Fraction(1, 2)),
            "`cosine` and `sine` must be of one angle",
        ),
        (
            lambda: dataclasses.replace(
                witness("eq13_descent"), between=(Fraction(0), Fraction(1))
            ),
            "`between` must be increasing and negative",
        ),
    ],
)
def test_what_is_no_status_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("margin", [None, "1", 1j, True])
def test_what_is_no_margin_is_refused(margin):
    with pytest.raises(TypeError, match="`margin` must be a number"):
        judge("a", "b", margin, 0.0, [], {})


# ---------------------------------------------------------------------- the witnesses


def witness(name: str) -> Witness:
    return witnesses.of(CLAIMS[name])


def test_only_refuted_claims_have_witnesses():
    assert {n for n, c in CLAIMS.items() if any(s.witness for s in c.standings)} == set(REFUTED)
    others = {"thresholding_recovers", "invariant_subspace", "equal_accuracy"}
    assert set(REFUTED) - set(OF_NETWORKS) == others
    for name in ("lemma1", *others):
        with pytest.raises(ValueError, match=f"`about` must be a refuted claim .* got {name}"):
            witnesses.of(CLAIMS[name])


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_a_witness_is_the_instance_it_says(name):
    known = witness(name)
    case = witnesses.case(known)
    M = np.diag([float(s) for s in known.targets])
    c, s, eps = float(known.cosine), float(known.sine), float(known.eps)
    np.testing.assert_allclose(case.target, M, atol=1e-15)
    *inner, last = case.weights()
    np.testing.assert_allclose(inner, [eps * np.eye(2)] * (known.depth - 1), atol=1e-16)
    np.testing.assert_allclose(last, eps * np.array([[c, -s], [s, c]]), atol=1e-15)
    assert str(known).count("margin in") == 1


def plane(name):
    """The original flow of a witness with one target, in 60 digits: the angle, σ_1 and σ_2."""
    known = witness(name)
    exact = [mpmath.mpf(x.numerator) / x.denominator for x in (known.eps, known.time)]
    eps, t = exact
    sigma, c, s = (
        mpmath.mpf(x.numerator) / x.denominator
        for x in (known.targets[0], known.cosine, known.sine)
    )
    T, decay = s / (1 + c), mpmath.exp(-2 * sigma * t)
    F = 1 + T**2 * decay
    drift = (1 - decay) / sigma
    first = F / ((1 + T**2) * decay / eps**2 + drift + 2 * T**2 * t * decay)
    second = F / ((1 + T**2) / eps**2 + 2 * t + T**2 * drift)
    return mpmath.atan(T * mpmath.exp(-sigma * t)), first, second, sigma, eps, t


@pytest.mark.parametrize("name", ["eq13_any_start", "eq13_small_c_vec"])
def test_flows_that_refute_eq13_in_60_digits(name):
    with mpmath.workdps(60):
        a, x, y, sigma, eps, t = plane(name)
        turn = mpmath.matrix([[mpmath.cos(a), -mpmath.sin(a)], [mpmath.sin(a), mpmath.cos(a)]])
        gap = turn * mpmath.diag([x, y]) * turn - mpmath.diag([sigma, 0])
        wide = sum(entry**2 for entry in gap)
        fitted = sigma / (1 + (sigma / eps**2 - 1) * mpmath.exp(-2 * sigma * t))
        narrow = (fitted - sigma) ** 2 + (1 / (2 * t + 1 / eps**2)) ** 2
        low, high = (mpmath.mpf(x.numerator) / x.denominator for x in witness(name).between)
        assert low < wide - narrow < high


def test_a_flow_whose_vectors_are_off_in_60_digits():
    with mpmath.workdps(60):
        a = plane("generally_c_vec_0")[0]
        low, high = witness("generally_c_vec_0").between
        assert float(low) < -(1 - mpmath.cos(a)) < float(high)


def exact_descent(witness: Witness) -> tuple[np.ndarray, list[Fraction]]:
    """W after the steps of descent of a witness with L = 2, and σ̃_i, both rational."""
    assert witness.eta is not None
    assert witness.depth == 2
    eps, eta, c, s = witness.eps, witness.eta, witness.cosine, witness.sine
    zero = Fraction(0)
    first = np.array([[eps, zero], [zero, eps]])
    second = eps * np.array([[c, -s], [s, c]])
    target = np.array([[witness.targets[0], zero], [zero, witness.targets[1]]])
    layers = [eps, eps]
    for _ in range(int(witness.time)):
        gap = second @ first - target
        first, second = first - eta * second.T @ gap, second - eta * gap @ first.T
        layers = [
            layer * (1 - eta * (layer**2 - goal))
            for layer, goal in zip(layers, witness.targets, strict=True)
        ]
    return second @ first, [layer**2 for layer in layers]


def test_descent_that_refutes_eq13_in_rational_numbers():
    known = witness("eq13_descent")
    W, values = exact_descent(known)
    wide = np.sum((W - np.array([[1, 0], [0, 0]])) ** 2)
    margin = wide - (values[0] - 1) ** 2
    assert isinstance(margin, Fraction)
    assert known.between[0] < margin < known.between[1]


def test_descent_that_refutes_dominance_in_rational_numbers():
    """σ_1 > s for a 2 × 2 matrix with σ_2 < s if and only if det(s² − WᵀW) < 0."""
    known = witness("dominance_descent")
    W, values = exact_descent(known)

    def beyond(s):
        gap = s**2 * np.array([[Fraction(1), 0], [0, Fraction(1)]]) - W.T @ W
        return gap[0, 0] * gap[1, 1] - gap[0, 1] * gap[1, 0] < 0

    low, high = known.between
    assert beyond(values[0] - high)
    assert not beyond(values[0] - low)


@pytest.mark.parametrize("name", ["eq13_descent", "dominance_descent"])
def test_the_library_descends_as_rational_numbers_do(name):
    known = witness(name)
    run, (W, values) = witnesses.descent(witnesses.told(known)), exact_descent(known)
    at = int(known.time)
    exact = np.array(W, dtype=float)
    assert np.linalg.norm(run.original[at] - exact) <= run.error
    assert np.max(np.abs(run.compressed[at] - np.array(values, dtype=float))) <= run.error


def test_the_enclosed_instances_are_those_of_the_proof():
    counterexamples = pytest.importorskip("dlnlab.proofs.counterexamples")
    for name, instance in (
        ("eq13_any_start", counterexamples.RESIDUAL),
        ("eq13_small_c_vec", counterexamples.SMALL_START),
        ("eq13_large_start", counterexamples.LARGE_START),
    ):
        known = witness(name)
        assert known.targets == instance.values
        for part in ("r_hat", "eps", "cosine", "sine", "time"):
            assert getattr(known, part) == getattr(instance, part)


def test_the_margin_of_the_large_start_lies_where_it_should():
    known = witness("eq13_large_start")
    asked = dataclasses.replace(eq13_large_start.QUESTION, options={"also": (float(known.time),)})
    found, _ = asked.look(witnesses.case(known))
    record = int(np.flatnonzero(found.times == float(known.time))[0])
    margin, error = found.margin[record], found.error[record]
    low, high = known.between
    assert low + error < margin < high - error


# ---------------------------------------------------------------------- the commands


def test_prove_and_validate_and_compare_say_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(
        dlnlab.validations.PROFILES, "ci", dlnlab.validations.Profile("mini", 24, 3, 4)
    )
    names = ["theorem2", "theorem2_refined", "dominance", "eq13_small_c_vec", "assumption1"]
    assert main(["validate", *names, "--executor", "serial", "--json", str(tmp_path / "v")]) == 0
    built = ["theorem2", "dominance", "assumption1", "late_times"]
    assert main(["prove", *built, "--json", str(tmp_path / "p")]) == 0
    validated, proved = (json.loads((tmp_path / name).read_text("utf-8")) for name in "vp")
    for said in (*validated["claims"], *validated["verdicts"], *proved["claims"]):
        known = CLAIMS[said["claim"]]
        assert said["status"] == known.standing().status
        assert said["statement"] == known.statement
    assert {p["proof"] for p in proved["proofs"]} == set(built)
    told = capsys.readouterr().out
    assert f"  dominance: {CLAIMS['dominance'].known.split(',')[0]}" in told
    M = dlnlab.random_target((4, 4), 2, rng=0)
    c = dlnlab.compare(M, 3, depth=3, eps=0.2, rng=0)
    here = setting(targets=c.targets, r_hat=3, start=0.2**3)
    for name, verdict in c.verdicts.items():
        assert verdict.statement == CLAIMS[name].statement
        assert verdict.status in (CLAIMS[name].standing(here).status, "not applicable")


def test_a_broken_proof_takes_its_standing_with_it():
    dominance = CLAIMS["dominance"]
    assert dominance.without(["lemma1"]) is dominance
    left = dominance.without(["plane_blocks"])
    assert left.standing(setting(depth=2)).status == "proved"
    assert left.standing(setting(shape=(2, 2))).status == "conjecture"
    assert CLAIMS["lemma1"].without(["lemma1"]).standing().status == "conjecture"


def test_a_claim_that_is_wrongly_registered_is_caught(tmp_path, monkeypatch, capsys):
    """Lemma 1 called refuted: validation says that nothing refutes it, and fails."""
    wrong = dataclasses.replace(CLAIMS["lemma1"], standings=(CLAIMS["eq13_descent"].standing(),))
    suite = dlnlab.validations.load("lemma1")
    monkeypatch.setitem(
        dlnlab.validations.PROFILES, "ci", dlnlab.validations.Profile("mini", 24, 3, 4)
    )
    monkeypatch.setitem(CLAIMS, "lemma1", wrong)
    module = dlnlab.validations.lemma1
    monkeypatch.setattr(module, "SUITE", dataclasses.replace(suite, about=wrong))
    assert main(["validate", "lemma1", "--executor", "serial"]) == 1
    told = capsys.readouterr().out
    assert "refuted (not" in told  # in a cell of two lines
    assert "again)" in told


def test_reports_name_status_scope_and_support():
    for name in REFUTED:
        (row,) = report.standings(CLAIMS[name])
        assert row[0] == "refuted"
        assert "margin in (" in row[2]
    scopes = report.standings(CLAIMS["dominance"])
    assert scopes[0][:2] == ("proved", "L = 2")
    assert scopes[0][2].startswith("proofs/dominance.py")
    assert scopes[-1] == ("conjecture", "all other instances", "validation only")


def test_the_five_statuses():
    assert STATUSES == ("proved", "conditional", "conjecture", "refuted", "not applicable")
    assert claims.STATUSES is STATUSES
