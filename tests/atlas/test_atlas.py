"""The atlas of Theorem 2: known cells, faults that must be found, and its files."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import dlnlab
from dlnlab import campaigns, flow
from dlnlab.atlas import cells, findings, survey
from dlnlab.atlas.survey import configurations, measure
from dlnlab.claims.theorem2 import allowance
from dlnlab.cli import main
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.lab import blocks, reduced

CELL = {
    "part": "map",
    "depth": 2,
    "ratio": 0.04,
    "d": 2,
    "spectrum": [1.0],
    "r_hats": [1, 2],
    "starts": "turned",
    "count": 6,
    "step": None,
    "seed": 5,
}
"""The proved counterexample's setting: L = 2, d = r̂ = 2, r = 1, ε = 0.2, a turned start."""


def measured(**changes):
    configuration = CELL | changes
    return cells.cells([configuration], [measure(configuration)])


# ---------------------------------------------------------------------- known cells


def test_the_proved_counterexample_violates():
    equal, spare = measured()
    assert not equal.violated
    assert spare.share == 1.0
    assert spare.late
    assert 0 < spare.of_sharp < 1


def test_the_enclosed_counterexample_is_measured(monkeypatch):
    """At t = 6 the margin of M = diag(1, 0), ε = 1/5, cos = −3/5 lies in (−6.297e-4, −6.296e-4)."""
    rotation = np.array([[-0.6, -0.8], [0.8, -0.6]])
    monkeypatch.setitem(blocks.TURNS, "turned", lambda d, rank, rng: rotation)
    run = reduced.flow(blocks.draw("turned", 1, 2, [1.0], 2, 0.2, 0))
    margin = run.margin(2)[:, 0]
    assert np.interp(6.0, run.times, margin) == pytest.approx(-6.2965e-4, abs=2e-7)
    assert margin.min() <= -6.296e-4


def test_an_aligned_start_never_violates():
    for depth in (2, 4):
        found = measured(starts="aligned", depth=depth, d=4, r_hats=[1, 2, 4])
        assert not any(cell.violated for cell in found)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("starts", ["haar", "turned"])
def test_where_the_premise_holds_the_bounds_do(depth, starts):
    settings = {"depth": depth, "starts": starts, "d": 5, "spectrum": [1.0, 0.5]}
    found = measured(r_hats=[2, 3, 4, 5], ratio=0.3, **settings)
    assert findings.contradictions(found) == []
    assert [cell.violated for cell in found[:2]] == [False, False]  # r̂ ≤ d − r
    assert found[-1].violated
    for cell in found:
        assert cell.of_refined is None or cell.of_refined < 1
        assert cell.of_sharp is None or cell.of_sharp < 1


def test_a_full_target_and_a_large_start_violate_with_r_hat_equal_to_r():
    settings = {"d": 2, "spectrum": [1.0, 0.05], "r_hats": [2], "starts": "haar"}
    below, above = (measured(ratio=ratio, **settings)[0] for ratio in (0.9, 20.0))
    assert not below.violated
    assert above.violated
    assert not above.covered


def test_a_target_with_a_kernel_can_violate_from_a_large_start():
    """With one idle direction for three target ones, two of these are turned into each other."""
    settings = {"depth": 4, "d": 4, "spectrum": [1.0, 0.74, 0.07], "r_hats": [3], "count": 100}
    below, above = (measured(ratio=ratio, seed=0, **settings)[0] for ratio in (0.95, 2.0))
    assert not below.violated
    assert above.share == 0.15
    assert above.worst == pytest.approx(1.46e-4, rel=0.01)
    assert above.worst > 1e3 * above.error


def test_a_start_exactly_at_its_target_is_measured():
    assert all(cell.judged == 6 for cell in measured(ratio=1.0, depth=3, spectrum=[1.0, 0.5], d=4))


def test_descent_breaks_the_inequality_for_r_hat_equal_to_r_near_the_limit():
    settings = {"part": "smallest", "ratio": 0.01, "starts": "haar", "count": 60}
    small, large = (measured(step=step, **settings)[0] for step in (0.5, 0.8))
    assert small.judged == 60
    assert not small.violated
    assert large.violated
    assert large.worst > 1e3 * large.error


def test_descent_counterexample_in_exact_arithmetic():
    """L = 2, d = 2, r̂ = r = 1, M = diag(1, 0), ε = 1/10, η = 4/5 of the limit, cos θ = 7/25.

    Five steps in rational numbers: the compressed network is farther from M, by more than 4.7e-3.
    """
    eps, eta, cosine, sine = Fraction(1, 10), Fraction(4, 5), Fraction(7, 25), Fraction(24, 25)
    first = eps * np.array([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]])
    second = eps * np.array([[cosine, -sine], [sine, cosine]])
    M, layer = np.array([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(0)]]), eps
    for _ in range(5):
        gap = second @ first - M
        first, second = first - eta * second.T @ gap, second - eta * gap @ first.T
        layer = layer * (1 - eta * (layer**2 - 1))
    margin = np.sum((second @ first - M) ** 2) - (layer**2 - 1) ** 2
    assert isinstance(margin, Fraction)
    assert Fraction(-48, 10_000) < margin < Fraction(-47, 10_000)


HIGH_PRECISION = {
    # ε, share of η_max, (σ_1*, σ_2*), r̂, start, step of the violation, margin between
    "ε = 1e-3, just above half": (
        "1e-3",
        "0.53",
        (1, 0),
        1,
        (11, 60, 61),
        19,
        -2.485e-7,
        -2.483e-7,
    ),
    "ε = 1e-5": ("1e-5", "0.51", (1, 0), 1, "1.1", 31, -8.25e-9, -8.15e-9),
    "ε = 1e-8": ("1e-8", "0.505", (1, 0), 1, "0.3", 48, -9.85e-11, -9.75e-11),
    "without a kernel": ("0.3", "0.55", (1, "0.9"), 2, "1.155", None, -1.0, -1e-12),
}
"""L = 2, d = 2: descents that violate the inequality for r̂ = r, closer to half of the stable step
the smaller ε is."""


def margins_in_60_digits(eps, share, targets, r_hat, turn, steps):
    """‖W − M‖² − ‖W̃ − M‖² after each step, in 60-digit arithmetic."""
    mp = mpmath.mp
    eps, eta = mp.mpf(eps), mp.mpf(share)  # η_max = 2/(2σ_1*) = 1
    goals = [mp.mpf(s) for s in targets]
    if isinstance(turn, tuple):
        c, s = mp.mpf(turn[0]) / turn[2], mp.mpf(turn[1]) / turn[2]
    else:
        c, s = mpmath.cos(mp.mpf(turn)), mpmath.sin(mp.mpf(turn))
    first, second = eps * mpmath.eye(2), eps * mpmath.matrix([[c, -s], [s, c]])
    M, layers, found = mpmath.diag(goals), [eps] * r_hat, []
    for _ in range(steps):
        gap = second * first - M
        first, second = first - eta * second.T * gap, second - eta * gap * first.T
        layers = [x - eta * x * (x**2 - g) for x, g in zip(layers, goals, strict=False)]
        wide = sum(entry**2 for entry in second * first - M)
        narrow = sum((x**2 - g) ** 2 for x, g in zip(layers, goals, strict=False))
        found.append(wide - narrow)
    return found


@pytest.mark.parametrize("name", HIGH_PRECISION)
def test_descent_fails_from_half_the_stable_step_on(name):
    eps, share, targets, r_hat, turn, step, low, high = HIGH_PRECISION[name]
    with mpmath.workdps(60):
        margins = margins_in_60_digits(eps, share, targets, r_hat, turn, 80)
        worst = min(range(80), key=margins.__getitem__)
        assert low < margins[worst] < high
        assert step in (None, worst + 1)
        half = margins_in_60_digits(eps, "0.5", targets, r_hat, turn, 80)
        assert min(half) >= 0


def test_the_first_failing_step_tends_to_a_half():
    found = []
    for ratio in (1e-2, 1e-8):
        settings = {"part": "smallest", "starts": "haar", "count": 160, "ratio": ratio, "seed": 0}
        found += [
            cell
            for step in (0.5, 0.52, 0.6, 0.8)
            for cell in measured(step=step, r_hats=[1], **settings)
        ]
    bounds = findings.first_failures(found)
    assert [interval for _, interval in sorted(bounds.items())] == [(0.5, 0.52), (0.6, 0.8)]


def test_beyond_the_limit_nothing_is_judged():
    found = measured(step=1.3, starts="haar", spectrum=[1.0, 0.5], d=4, r_hats=[2, 4])
    assert [(cell.judged, cell.worst, cell.violated) for cell in found] == [(0, None, False)] * 2


# ---------------------------------------------------------------------- the measurement itself


@pytest.mark.parametrize(("d", "r_hat"), [(6, 5), (3, 3), (4, 2)])
def test_blocks_agree_with_the_whole_network(d, r_hat):
    """The margin from the blocks is that of the full network, with all its copies."""
    spectrum, depth, eps = [1.0, 0.5], 3, 0.5
    run = reduced.flow(blocks.draw("haar", 1, d, spectrum, depth, eps, 3))
    Q = blocks.TURNS["haar"](d, 2, np.random.default_rng(3))
    problem = dlnlab.factorization(np.diag(spectrum + [0.0] * (d - 2)))
    weights = [eps * np.eye(d)] * (depth - 1) + [eps * Q]
    whole = dlnlab.gradient_flow(
        problem, weights, t_end=run.times[-1], times=run.times[1:], stationarity=0.0
    )
    law = CompressedFlow(np.array(spectrum), r_hat, depth, eps, 1.0).at(run.times)
    expected = whole.errors**2 - law.errors() ** 2
    np.testing.assert_allclose(run.margin(r_hat)[:, 0], expected, atol=1e-8)


def test_a_descent_of_blocks_is_that_of_the_whole_network():
    spectrum, depth, eps, d = [1.0, 0.5], 3, 0.5, 6
    batch = blocks.draw("haar", 1, d, spectrum, depth, eps, 3)
    eta = 0.9 * blocks.stable_step(batch)
    run = reduced.descend(batch, eta, 0)
    Q = blocks.TURNS["haar"](d, 2, np.random.default_rng(3))
    problem = dlnlab.factorization(np.diag(spectrum + [0.0] * (d - 2)))
    weights = [eps * np.eye(d)] * (depth - 1) + [eps * Q]
    whole = dlnlab.gradient_descent(problem, weights, eta=eta, num_steps=run.times.size - 1)
    narrow = dlnlab.compressed_weights(problem, 5, depth, eps)
    other = dlnlab.gradient_descent(problem, narrow, eta=eta, num_steps=run.times.size - 1)
    expected = whole.errors**2 - other.errors**2
    error = run.margin_error(5)[:, 0]
    assert np.all(np.abs(run.margin(5)[:, 0] - expected) <= error + 1e-13)


def test_measure_depends_on_nothing_but_its_configuration():
    configuration = CELL | {"starts": "haar", "d": 100, "r_hats": [1, 99, 100]}
    first, again = (measure(configuration) for _ in range(2))
    assert first == again
    assert first == json.loads(json.dumps(first))
    assert first != measure(configuration | {"seed": 6})


def test_the_atlas_runs_as_a_campaign(tmp_path):
    path = tmp_path / "atlas.jsonl"
    found = campaigns.run(measure, [CELL], executor="serial", path=path)
    assert found == [measure(CELL)]
    assert campaigns.run(measure, [CELL], executor="serial", path=path) == found


def test_configurations_are_plain_and_distinct():
    for profile in ("ci", "dev", "hunt"):
        found = configurations(profile, 1)
        assert json.loads(json.dumps(found)) == found
        assert len({json.dumps(c, sort_keys=True) for c in found}) == len(found)
        assert all(len(c["spectrum"]) <= n <= c["d"] for c in found for n in c["r_hats"])
    assert configurations("ci", 1) != configurations("ci", 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: configurations("fast"), "`profile` must be one of"),
        (lambda: measure(CELL | {"starts": "gaussian"}), "`kind` must be one of"),
        (lambda: measure(CELL | {"d": 1000}), "`d` must be at most 64 for turned starts"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------------- faults


def flipped(right):
    return lambda original, compressed: -right(original, compressed)


FAULTS = {
    "the margin's sign": (reduced.theorem2, "margins", flipped),
    "the idle directions are left out": (
        reduced.BlockRun,
        "excess",
        lambda right: lambda self, n: 0,
    ),
    "the copies are left out": (
        reduced.BlockRun,
        "excess",
        lambda right: lambda self, n: n - self.blocks.spectrum.size,
    ),
    "the bound allows too little": (
        survey,
        "allowance",
        lambda right: lambda n, r, d: right(n, r, d) - 1,
    ),
    "the compressed network is too slow": (
        flow.compressed.modes,
        "flow",
        lambda right: lambda t, *rest, **options: right(0.99 * t, *rest, **options),
    ),
}


FAILING = [("turned", 5), ("turned", 6)]
"""For d = 6 and r = 2 the kinds of start and r̂ with a violation, aligned starts having none."""


def outcome():
    """How many cells contradict the theorem, and where the inequality fails."""
    settings = {"d": 6, "spectrum": [1.0, 0.5], "r_hats": [2, 3, 4, 5, 6], "depth": 3}
    found = [
        c for kind in ("turned", "aligned") for c in measured(ratio=0.1, starts=kind, **settings)
    ]
    violated = [(cell.starts, cell.r_hat) for cell in found if cell.violated]
    return len(findings.contradictions(found)), violated


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_contradicts_the_theorem(name, monkeypatch):
    where, attribute, make = FAULTS[name]
    monkeypatch.setattr(where, attribute, make(getattr(where, attribute)))
    assert outcome() != (0, FAILING)


def test_without_a_fault_the_atlas_is_what_theory_says():
    assert outcome() == (0, FAILING)


# ---------------------------------------------------------------------- cells and files


def test_allowance():
    assert [allowance(n, 2, 6) for n in range(2, 7)] == [-2, -1, 0, 1, 2]
    assert [allowance(n, 2, 3) for n in (2, 3)] == [0, 1]


def test_cells_survive_a_file(tmp_path):
    found = measured() + measured(step=0.8, starts="haar") + measured(step=1.3, starts="haar")
    cells.write(found, tmp_path / "atlas.csv")
    assert cells.read(tmp_path / "atlas.csv") == found
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="the columns must be part, depth"):
        cells.read(tmp_path / "bad.csv")


def test_a_contradiction_is_told():
    cell = dataclasses.replace(measured()[1], over=1e-9)
    assert findings.contradictions([cell]) == [cell]
    assert findings.contradictions([dataclasses.replace(cell, ratio=1.5)]) == []
    assert findings.contradictions([dataclasses.replace(cell, step=0.5)]) == []


def test_regions_are_disjoint_and_cover_the_atlas():
    some = measured()[0]
    where = [
        dataclasses.replace(some, ratio=ratio, step=step, r_hat=r_hat, d=d)
        for ratio in (0.5, 2.0)
        for step in (None, 0.3, 0.7)
        for r_hat in (1, 2)
        for d in (r_hat, 2, 4)
        if step is None or ratio <= 1
    ]
    for cell in where:
        inside = [name for name, test in findings.REGIONS.items() if test(cell)]
        assert len(inside) == 1, (inside, cell)
    assert sum(region.starts for region in findings.regions(where)) == 6 * len(where)


def test_the_power_of_a_known_excess_is_found():
    steps, rng = (0.02, 0.05, 0.1, 0.2), np.random.default_rng(0)
    size = rng.uniform(1, 2, 20)
    configurations = [CELL | {"part": "descent", "step": step} for step in steps]
    results = [
        {
            "converged": [True] * 20 + [False],
            "ahead": (size * step**3).tolist(),
            "ahead_error": [1e-12] * 20,
        }
        for step in steps
    ]
    (fit,) = findings.exponents(configurations, results)
    assert (fit.value, fit.low, fit.high) == pytest.approx((3, 3, 3))
    assert fit.starts == 20
    for result in results:
        result["ahead_error"] = result["ahead"]  # nothing but error
    assert findings.exponents(configurations, results) == []


# ---------------------------------------------------------------------- the command

TINY = survey.Extent(
    4, (2, 3), (0.1, 5.0), (3, 8), (0.125, 0.25, 0.8, 1.2), (2,), (0.1,), ((2, (1e-2,)),)
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(survey.EXTENTS, "ci", TINY)
    monkeypatch.setenv("COLUMNS", "200")  # room for a row of the table


def test_the_command_writes_the_atlas(tiny, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["atlas", "--out", str(out), "--executor", "serial"]) == 0
    names = {path.name for path in out.iterdir()}
    figures = {f"{n}.{s}" for n in ("map", "width", "descent", "threshold") for s in ("png", "pdf")}
    assert names == figures | {"atlas.csv", "atlas.json", "index.html"}
    content = json.loads((out / "atlas.json").read_text("utf-8"))
    assert content["manifest"]["seed"] == 0
    assert content["regions"][0]["violating"] == 0
    assert content["regions"][1]["violating"] > 0
    page = (out / "index.html").read_text("utf-8")
    assert page.count("data:image/svg+xml;base64,") == 4
    assert 'src="http' not in page
    said = capsys.readouterr().out
    assert "flow, ε^L ≤ σ_r*, r̂ ≤ max(r, d − r)" in said
    assert "0 cells contradict it" in said
    assert len(cells.read(out / "atlas.csv")) > 40


def test_the_command_fails_on_a_contradiction(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(survey, "allowance", lambda r_hat, rank, d: -5)
    assert main(["atlas", "--out", str(tmp_path), "--executor", "serial"]) == 1
    assert " 0 cells contradict" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "--seed must be an integer >= 0, got -1"),
        (["--executor", "nowhere"], "nowhere"),
    ],
)
def test_the_command_refuses_bad_input(arguments, message, tmp_path, capsys):
    assert main(["atlas", "--out", str(tmp_path / "x"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
