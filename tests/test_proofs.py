"""Every proof goes through, and every proof can fail."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from dlnlab.proofs import counterexamples, exact, proof, theorem1_exact, theorem2
from dlnlab.proofs.proof import Proof, ProofError, ProofResult, Step

from dlnlab import proofs

NO_FLINT = vars(counterexamples)["flint"] is None
REASON = "ball arithmetic needs python-flint (extra `exact`)"
needs_flint = pytest.mark.skipif(NO_FLINT, reason=REASON)
NAMES = [
    pytest.param(name, marks=needs_flint) if name == "counterexamples" else name
    for name in proofs.MODULES
]


@pytest.mark.parametrize("name", NAMES)
def test_every_step_goes_through(name: str) -> None:
    result = proofs.build(name).verify()
    assert result.claim == name
    assert result.status == "proved"
    assert all(step.failure is None for step in result.steps)
    _assert_readable(result)


def _assert_readable(result: ProofResult) -> None:
    """The printed proof shows every step, its scope and its mathematics, in lines that fit."""
    text = str(result)
    assert "PROVED" in text
    for step in result.steps:
        assert step.title in text
        assert step.scope in text
        assert all(line in text for line in step.line.splitlines())
        assert max(map(len, step.line.splitlines())) <= 100


def test_every_claim_module_is_registered() -> None:
    folder = Path(proofs.__file__).parent
    machinery = {"__init__", "proof", "words", "exact"}
    assert {path.stem for path in folder.glob("*.py")} - machinery == set(proofs.MODULES)


def test_every_proof_has_a_page() -> None:
    pages = Path(__file__).parent.parent / "docs" / "claims"
    linked: set[str] = set()
    for page in pages.glob("*.md"):
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (pages / link).exists(), f"{page.name} links to {link}, which does not exist"
            linked.add(Path(link).stem)
    assert set(proofs.MODULES) <= linked


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of theorem1.*got 'theorem9'"):
        proofs.build("theorem9")


# ---------------------------------------------------------------------- every proof can fail


def _sign_flipped(value: Any, target: Any, step: Any, depth: Any) -> Any:
    return value * (1 + step * (value**depth - target) * value ** (depth - 2))


def _wrong_beta(value: Any, step: Any, depth: Any) -> Any:
    return value * (1 - step * value ** (2 * depth - 1))


def _without_alpha(outer: Any, inner: Any) -> Any:
    m = import_module("dlnlab.proofs.theorem1")
    return outer - m.eta * (m.product(outer, inner) - m.sigma) * outer * inner ** (m.L - 2)


def _inner_as_outer(outer: Any, inner: Any) -> Any:
    m = import_module("dlnlab.proofs.theorem1")
    return inner - m.eta * (m.product(outer, inner) - m.sigma) * outer**2 * inner ** (m.L - 2)


def _lost_layer(number: Any) -> Any:
    m = import_module("dlnlab.proofs.theorem1")
    return m.U @ m.diagonal("B", "k", m.L - 1 - number)


def _lost_target() -> Any:
    m = import_module("dlnlab.proofs.theorem1")
    return m.U @ m.A @ m.diagonal("B", "k", m.L - 2) @ m.A @ m.V.T - m.R


def _no_orthogonality() -> Any:
    """The rules without UᵀR = 0 and RV = 0."""
    m = import_module("dlnlab.proofs.theorem1")
    return {m.letters(f.T, f): m.identity("k") for f in (m.U, m.V)}


def _halved_curvature(outer: Any, inner: Any) -> Any:
    m = import_module("dlnlab.proofs.theorem1")
    second = (m.L - 2) * outer**4 * inner ** (2 * m.L - 6)
    return m.alpha * outer**2 * inner ** (2 * m.L - 4) + second


def _wrong_pair(pair: Any, target: Any, eta: Any, alpha: Any, decay: Any, depth: int) -> Any:
    a, b = pair
    error = a**2 * b ** (depth - 2) - target
    return a - alpha * eta * (error * a * b ** (depth - 1) + decay * a), b


def _undecayed(following: Any, value: Any, step: Any) -> Any:
    return following


def _decay_without_alpha(right: Any) -> Any:
    def next_pair(pair: Any, target: Any, eta: Any, alpha: Any, decay: Any, depth: int) -> Any:
        a, b = right(pair, target, eta, alpha, decay, depth)
        return a + (alpha - 1) * eta * decay * pair[0], b

    return next_pair


def _untransposed(weights: Any, residual: Any) -> Any:
    """The chain rule without the transpose below the layer."""
    field, gradients = residual.domain, []
    for place, weight in enumerate(weights):
        after = exact.chain(weights[place + 1 :], weight.shape[0], field)
        before = exact.chain(weights[:place], residual.shape[1], field)
        gradient = after.transpose() * residual
        square = before.shape[0] == before.shape[1]
        gradients.append(gradient * (before if square else before.transpose()))
    return gradients


def _first_power(step: Any, weight_decay: Any, others: Any) -> Any:
    return 1 - step * weight_decay - step * others


def _no_decay(step: Any, weight_decay: Any, others: Any) -> Any:
    return 1 - step * others**2


def _wrong_corner(x: Any, y: Any, p: int, q: int) -> Any:
    return sum(x[i][j] * y[i][j] for i in range(p) for j in range(q))


def _wrong_gap(dimension: Any, rank_bound: Any, scale: Any, deficit: Any) -> Any:
    return (dimension + rank_bound) * scale**2 + 2 * scale * deficit


def _wrong_power(value: Any, projection: Any) -> Any:
    m = import_module("dlnlab.proofs.proposition1")
    return -m.L * (value**2) ** (1 - 2 / m.L) * projection


def _no_depth_factor(value: Any, projection: Any) -> Any:
    m = import_module("dlnlab.proofs.proposition1")
    return -((value**2) ** (1 - 1 / m.L)) * projection


def _swapped_rotations(values: Any, gradients: Any) -> Any:
    m = import_module("dlnlab.proofs.proposition1")
    (si, sj), (gij, gji) = values, gradients
    weight = 1 / ((sj**2) ** (1 / m.L) - (si**2) ** (1 / m.L))
    return -weight * (si * gij + gji * sj), -weight * (gij * sj + si * gji)


def _one_sided(above: Any, residual: Any, below: Any) -> Any:
    return above.T @ residual @ below.T * (2 if len(str(above)) > 10 else 1)


def _unordered(first: Any, last: Any) -> Any:
    return last.T * last - 2 * first * first.T


def _slow_logistic(time: Any) -> Any:
    m = import_module("dlnlab.proofs.closed_form")
    return m.target / (1 + (m.target / m.eps**2 - 1) * sp.exp(-m.target * time))


def _other_rate(value: Any) -> Any:
    m = import_module("dlnlab.proofs.closed_form")
    return m.L * value ** (2 - 1 / m.L) * (m.target - value)


def _slow_residual(time: Any) -> Any:
    m = import_module("dlnlab.proofs.closed_form")
    return m.eps ** (-(2 * m.L - 2)) + (2 * m.L) * time


def _other_time() -> Any:
    m = import_module("dlnlab.proofs.closed_form")
    return m.eps ** (2 - m.L) / (m.L * m.target)


def _other_root(base: Any) -> Any:
    m = import_module("dlnlab.proofs.closed_form")
    return base ** (-1 / (2 * m.L))


def _linear_equation(x: Any) -> Any:
    m = import_module("dlnlab.proofs.dominance")
    return {"11": m.goal @ x["21"], "12": m.goal @ x["22"], "21": x["21"], "22": x["22"]}


def _fast_comparison(eigenvalue: Any) -> Any:
    m = import_module("dlnlab.proofs.dominance")
    decay = sp.exp(-4 * eigenvalue * m.t)
    return 1 / (decay / (2 * m.eps**2) + (1 - decay) / (2 * eigenvalue))


def _double_count(fitted: Any, goals: Any, extra: int) -> Any:
    m = import_module("dlnlab.proofs.theorem2")
    leading = sum((c - g) ** 2 for c, g in zip(fitted, goals, strict=True))
    return leading + 2 * extra * m.beta ** (2 * m.L)


def _one_direction_fewer(right: Any) -> Any:
    def wide_error(rank: int, size: int) -> Any:
        margin, terms = right(rank, size)
        return margin - import_module("dlnlab.proofs.theorem2").beta ** 2, terms

    return wide_error


def _reversed_squares(original: Any, compressed: Any, goal: Any) -> Any:
    return (compressed - goal) ** 2 - (original - goal) ** 2


def _half_integral(sigma: Any, time: Any, functions: Any) -> Any:
    angle = 2 * sigma * time
    return functions.sinh(angle) / sigma, (functions.cosh(angle) - 1) / sigma


def _no_residual(instance: Any) -> Any:
    return 0 * import_module("dlnlab.proofs.counterexamples").ball(instance.eps)


def _not_a_rotation() -> Any:
    m = import_module("dlnlab.proofs.counterexamples")
    return dataclasses.replace(m.SMALL_START, sine=m.Fraction(3, 5))


def _equal_offsets() -> Any:
    return 1 / import_module("dlnlab.proofs.late_times").eps ** 2


def _wrong_factor(point: Any) -> Any:
    m = import_module("dlnlab.proofs.late_times")
    return m.first_factor(point) + m.eps * point**2


def _too_fast() -> Any:
    m = import_module("dlnlab.proofs.plane_blocks")
    return m.L * m.y ** (2 - 2 / m.L) * (m.second - m.y)


def _unturned_start() -> Any:
    m = import_module("dlnlab.proofs.late_times")
    return m.eps * sp.Matrix([[m.c, m.s], [m.s, m.c], [1, 0], [0, 1]])


def _turned_twice(weight: Any, after: Any, before: Any) -> Any:
    return after @ weight @ before


def _doubled_if_turned(over: Any, under: Any) -> Any:
    m = import_module("dlnlab.proofs.gauge")
    return over.T @ m.residual @ under.T * (2 if "G" in str(over) else 1)


def _first_layer_only(weights: Any, turns: Any) -> Any:
    return [turns[1] * weights[0], *weights[1:]]


BREAKS: list[tuple[str, str, Any, str]] = [
    ("theorem1", "lambda_next", _sign_flipped, "Theorem 1's recursions"),
    ("theorem1", "beta_next", _wrong_beta, "Theorem 1's recursions"),
    ("theorem1", "outer_next", _without_alpha, "outer layers keep their frames"),
    ("theorem1", "inner_next", _inner_as_outer, "inner layers stay diagonal"),
    ("theorem1", "above", _lost_layer, "products above and below"),
    ("theorem1", "residual", _lost_target, "inner layers stay diagonal"),
    ("theorem1", "RULES", _no_orthogonality(), "inner layers stay diagonal"),
    ("theorem1", "pair_curvature", _halved_curvature, "stability of the pair"),
    ("theorem1", "decayed", _undecayed, "weight decay"),
    ("theorem1_exact", "next_pair", _wrong_pair, "full matrices over ℚ"),
    (
        "theorem1_exact",
        "next_pair",
        _decay_without_alpha(theorem1_exact.next_pair),
        "full matrices over ℚ",
    ),
    ("exact", "layer_gradients", _untransposed, "theorem1_exact, step 'full matrices over ℚ'"),
    ("exact", "layer_gradients", _untransposed, "parsimony, step 'full matrices over ℚ'"),
    ("parsimony", "rho_factor", _first_power, "one step keeps the form"),
    ("parsimony", "rho_factor", _no_decay, "one step keeps the form"),
    ("parsimony", "transport_rules", dict, "products"),
    ("lemma1", "weight", lambda x, y: x * y, "weights"),
    ("lemma1", "_corner", _wrong_corner, "the remainder (†), expanded"),
    ("lemma1", "_drop", lambda values, position: values[position - 1], "order matters"),
    ("corollary1", "gap", _wrong_gap, "the gap"),
    ("corollary1", "RULES", {}, "both squares"),
    ("proposition1", "singular_value_rate", _wrong_power, "singular values"),
    ("proposition1", "singular_value_rate", _no_depth_factor, "singular values"),
    ("proposition1", "rotation_rates", _swapped_rotations, "singular vectors inside the span"),
    ("proposition1", "layer_rate", _one_sided, "conservation"),
    ("proposition1", "_from_below", lambda layers: {}, "balanced products, multiplied out"),
    ("proposition1", "quotient", lambda m: 1 / sp.Symbol("p") ** m, "the off-diagonal weight"),
    ("proposition1", "imbalance", _unordered, "its balanced twin"),
    ("closed_form", "rate", _other_rate, "the flow"),
    ("closed_form", "logistic", _slow_logistic, "L = 2"),
    ("closed_form", "integrand", lambda s: 1 / (1 - s), "separation of variables"),
    ("closed_form", "leading_time", _other_time, "main term of the fitting time"),
    ("closed_form", "residual_base", _slow_residual, "residual values"),
    ("closed_form", "residual_root", _other_root, "residual values"),
    ("dominance", "riccati", _linear_equation, "the lift"),
    ("dominance", "BALANCED", {}, "the lift"),
    ("dominance", "comparison", _fast_comparison, "the comparison solution"),
    ("dominance", "singular_value_rate", lambda v, g: -v * g, "the largest singular value"),
    ("assumption1", "transport_rules", dict, "products of aligned layers"),
    ("assumption1", "lambda_next", _sign_flipped, "a step from an aligned state"),
    ("assumption1", "beta_next", _wrong_beta, "a step from an aligned state"),
    ("assumption1", "signed_rate", lambda s, m, q: q, "the sign"),
    ("theorem2", "compressed_error", _double_count, "the compressed error"),
    ("theorem2", "improvement", _reversed_squares, "comparison of squares"),
    ("theorem2", "rate", lambda v: v, "barrier"),
    ("theorem2", "wide_error", _one_direction_fewer(theorem2.wide_error), "the sharp chain"),
    ("counterexamples", "integral_entries", _half_integral, "exponentials"),
    ("counterexamples", "residual_value", _no_residual, "the closed form at t = 0"),
    ("counterexamples", "SMALL_START", _not_a_rotation, "r̂ > r, small ε': Q must be a rot"),
    ("counterexamples", "PRECISION", 20, "the closed form at t = 0"),
    ("large_steps", "narrow_step", lambda layer: layer, "the wide network is closer"),
    ("large_steps", "target", lambda: sp.diag(1, 1), "the wide network is closer"),
    ("large_steps", "step_size", lambda: sp.Rational(6, 5), "premises"),
    ("turned_start", "top_rate", lambda: sp.Integer(0), "three scalars"),
    ("turned_start", "angle_rate", lambda: sp.Integer(0), "three scalars"),
    ("turned_start", "network", lambda: sp.eye(2), "the frames"),
    ("turned_start", "summand", lambda row, col, j: row**j, "the off-diagonal weight"),
    ("turned_start", "residual_base", lambda t: t, "the residual is behind"),
    ("plane_blocks", "network", lambda: sp.eye(2), "rotations are enough"),
    ("plane_blocks", "first_rate", lambda: sp.Integer(0), "three scalars"),
    ("plane_blocks", "second_rate", _too_fast, "three scalars"),
    ("plane_blocks", "angle_rate", lambda: sp.Integer(0), "three scalars"),
    ("plane_blocks", "singular_value_rate", lambda v, g: -v * g, "three scalars"),
    ("plane_blocks", "rate", lambda v: v, "both modes are late"),
    ("late_times", "offset", _equal_offsets, "the wide network at y = 0"),
    ("late_times", "second_factor", _wrong_factor, "the determinant"),
    ("late_times", "start", _unturned_start, "the determinant"),
    ("gauge", "turned", _turned_twice, "products"),
    ("gauge", "RULES", {}, "products"),
    ("gauge", "gradient", _doubled_if_turned, "gradients"),
    ("gauge", "orthogonal", lambda *turns: {}, "canonical form"),
    ("gauge", "turn_all", _first_layer_only, "full matrices over ℚ"),
    ("gauge", "layer_gradients", _untransposed, "full matrices over ℚ"),
]


@pytest.mark.parametrize(
    ("module", "name", "broken", "step"), BREAKS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_broken_step_breaks_the_proof(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, broken: Any, step: str
) -> None:
    if module == "counterexamples" and NO_FLINT:
        pytest.skip(REASON)
    if broken is _not_a_rotation:
        broken = _not_a_rotation()
    monkeypatch.setattr(import_module(f"dlnlab.proofs.{module}"), name, broken)
    _forget_cached_matrices()
    claim = step.split(",", 1)[0] if module == "exact" else module
    fragment = step if module == "exact" else f"{claim}, step '{step}"
    try:
        with pytest.raises(ProofError) as caught:
            proofs.build(claim).verify()
    finally:
        _forget_cached_matrices()
    assert fragment in str(caught.value)


def _forget_cached_matrices() -> None:
    late_times = import_module("dlnlab.proofs.late_times")
    late_times._system.cache_clear()
    late_times._corner.cache_clear()


# ---------------------------------------------------------------------- the machinery


def _toy(check: Callable[[], None]) -> Proof:
    steps = [
        Step("sum", "1 + 1 = 2", "exact", "this instance", check),
        Step("fact", "a theorem of others", "cited", "all n"),
    ]
    return Proof("toy", "Two is two.", "nobody", steps, corrections=["a slip"], open=["the rest"])


def test_a_failure_names_the_step_and_shows_the_remainder() -> None:
    x = sp.Symbol("x")
    broken = _toy(lambda: proof.require_zero((x + 1) ** 2 - x**2 - 1, "square"))
    result = broken.run()
    assert result.status == "broken"
    assert result.steps[0].failure == "square: expected 0, got: 2*x"
    assert "BROKEN: square: expected 0, got: 2*x" in str(result)
    with pytest.raises(ProofError, match=r"toy, step 'sum': square: expected 0, got: 2\*x"):
        broken.verify()


def test_cited_facts_are_not_counted_as_proved() -> None:
    result = _toy(lambda: proof.require_zero(sp.Integer(0), "nothing")).run()
    assert result.status == "proved"
    assert result.cited == ("a theorem of others",)
    text = str(result)
    assert "✓  1. sum" in text
    assert "·  2. fact" in text
    assert "a slip" in text
    assert "the rest" in text


def test_a_result_is_frozen_and_becomes_json() -> None:
    result = _toy(lambda: None).run()
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.status = "proved"  # type: ignore[misc]
    loaded = json.loads(json.dumps(result.as_dict()))
    assert loaded["status"] == "proved"
    assert loaded["steps"][0]["kind"] == "exact"


def test_other_errors_are_not_swallowed() -> None:
    def crash() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _toy(crash).run()


def test_kinds_and_checks_must_match() -> None:
    with pytest.raises(ValueError, match="`check` must be given exactly"):
        Step("sum", "1 + 1 = 2", "symbolic", "all")
    with pytest.raises(ValueError, match="`check` must be given exactly"):
        Step("fact", "known", "cited", "all", lambda: None)


@pytest.mark.parametrize("value", [sp.Symbol("x"), sp.Integer(0), -sp.Symbol("p", positive=True)])
def test_an_undecided_sign_is_a_failure(value: sp.Expr) -> None:
    with pytest.raises(ProofError, match="could not be shown positive"):
        proof.require_positive(value, "sign")


def test_the_exit_status_tells_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    def fine(*, thorough: bool = False) -> Proof:
        del thorough
        return _toy(lambda: None)

    def wrong(*, thorough: bool = False) -> Proof:
        return _toy(lambda: proof.require(thorough, "only the thorough run passes"))

    assert proof.main(fine, []) == 0
    assert proof.main(wrong, []) == 1
    assert proof.main(wrong, ["--thorough"]) == 0
    assert proof.main(fine, ["--fast"]) == 2
    assert "unknown argument '--fast'" in capsys.readouterr().err


def test_a_module_runs_alone() -> None:
    command = [sys.executable, "-m", "dlnlab.proofs.corollary1"]
    root = Path(proofs.__file__).parent.parent
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=root, capture_output=True, check=False, env=environment)
    assert done.returncode == 0
    assert "corollary1: PROVED" in done.stdout.decode()


def test_without_flint_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("dlnlab.proofs.counterexamples"), "flint", None)
    with pytest.raises(ImportError, match="pip install python-flint"):
        proofs.build("counterexamples")
    assert proof.main(counterexamples.build, []) == 2
