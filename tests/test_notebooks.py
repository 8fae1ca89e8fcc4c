"""Results as notebooks and scripts show them: short texts, tables, figures once, full bars."""

from __future__ import annotations

import io
import sys
import types

import matplotlib
import numpy as np
import pytest

import dlnlab
from dlnlab import experiments
from dlnlab.training.trajectory import Status

M = dlnlab.random_target((8, 8), 2, rng=0)
PROBLEM = dlnlab.factorization(M)
NARROW = dlnlab.compressed_weights(PROBLEM, 2, 3, 0.1)
WIDE = dlnlab.original_weights((8, 8), 3, 0.1, rng=0)
RUN = dlnlab.gradient_descent(PROBLEM, NARROW, eta=0.2, num_steps=20, record_every=5)
C = dlnlab.compare(M, 2, depth=2, eps=0.3)
NETWORKS = {"wide": experiments.Network(WIDE, 0.1), "narrow": experiments.Network(NARROW, 0.1)}
RUNS = experiments.run(PROBLEM, NETWORKS, num_steps=10, record_every=5)

RESULTS = {
    "trajectory": (RUN, ["after 20 steps, completed"]),
    "verdict": (C.verdicts["dominance"], ["dominance: "]),
    "verdicts": (C.verdicts, list(C.verdicts)),
    "runs": (RUNS, ["wide", "narrow"]),
    "reduction": (dlnlab.parsimony.reduce(PROBLEM, WIDE), ["8 × 8, L = 3", "widths 5 → 5"]),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_results_have_a_short_text_and_a_table(kind):
    result, told = RESULTS[kind]
    assert len(repr(result)) < 120 * max(len(told), 3)
    assert all(words in repr(result) for words in told)
    shown = result._repr_html_()
    assert shown.count("<table") + shown.count("<dl") == 1
    assert "<script" not in shown
    assert " at 0x" not in repr(result) + shown


def test_a_verdict_is_no_boolean():
    with pytest.raises(TypeError, match=r"`status` of the one on dominance .* `contradicted`"):
        bool(C.verdicts["dominance"])
    assert C.verdicts  # the mapping is one


def test_the_members_that_diverged_are_named():
    eta = np.array([[0.1, 50.0], [0.2, 90.0]])
    sweep = dlnlab.gradient_descent(PROBLEM, NARROW, eta=eta, num_steps=100, record_every=50)
    assert "batch of 4: 2 completed, 2 diverged (members (0, 1), (1, 1))" in repr(sweep)
    assert sweep.status[0, 1] is Status.DIVERGED
    many = dlnlab.gradient_descent(
        PROBLEM, NARROW, eta=np.full(12, 90.0), num_steps=100, record_every=50
    )
    assert "12 diverged (members 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)" in repr(many)
    assert len(sweep.plot().axes) >= 2


# ------------------------------------------------------------------ figures, once


@pytest.fixture
def displayed(monkeypatch):
    """What IPython would display."""
    shown = []
    fake = types.ModuleType("IPython.display")
    fake.display = lambda data, raw: shown.append(sorted(data))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    return shown


@dlnlab.conjecture("The singular values add up to less than a tenth.")
def small(pair):
    return 0.1 - pair.original.singular_values.sum(-1)


PLOTS = {
    "comparison": C.plot,
    "assumption1": C.plot_assumption1,
    "trajectory": RUN.plot,
    "runs": RUNS.plot,
    "attack": lambda: small.attack(instances=4, shapes=[(2, 2)], depths=2, shrinks=0).plot(),
}


@pytest.mark.parametrize("kind", PLOTS)
def test_pyplot_shows_a_plot_unless_the_cell_has_shown_it(kind, displayed):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    figure = PLOTS[kind]()
    assert [plt.figure(number) for number in plt.get_fignums()] == [figure]
    figure._ipython_display_()
    assert displayed == [["image/png", "text/plain"]]
    assert plt.get_fignums() == []


def test_drawing_into_a_figure_that_is_given_registers_nothing():
    import matplotlib.pyplot as plt

    plt.close("all")
    given = matplotlib.figure.Figure()
    assert RUN.plot(given) is given
    assert dlnlab.plotting.comparison(C) is not None
    assert plt.get_fignums() == []


def test_a_run_without_a_record_has_no_plot():
    bare = dlnlab.gradient_descent(PROBLEM, NARROW, eta=0.2, num_steps=2, record=())
    with pytest.raises(ValueError, match="`run` must have recorded a loss"):
        bare.plot()


# ------------------------------------------------------------------ progress


RUNNERS = {
    "descent": lambda: dlnlab.gradient_descent(
        PROBLEM, NARROW, eta=0.2, num_steps=5000, tol=1e-6, progress=True
    ),
    "flow": lambda: dlnlab.gradient_flow(PROBLEM, NARROW, t_end=3.0, rtol=1e-6, progress=True),
    "comparison": lambda: dlnlab.compare(M, 2, eps=0.3, rtol=1e-8, progress=True),
}


@pytest.mark.parametrize("has_tqdm", [True, False], ids=["tqdm", "line"])
@pytest.mark.parametrize("kind", RUNNERS)
def test_a_bar_ends_full(monkeypatch, kind, has_tqdm):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    RUNNERS[kind]()
    last = sys.stderr.getvalue().rstrip("\n").split("\r")[-1]
    assert ("100%|" if has_tqdm else "[####################]") in last


# ------------------------------------------------------------------ stable steps


@pytest.mark.parametrize("alpha", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_stable_step_is_the_limit_of_a_fitted_network(depth, alpha):
    """Just below it a perturbed solution settles, just above it does not."""
    sigma = 2.0
    problem = dlnlab.factorization(np.diag([sigma, 1.0]))
    start = (np.diag([sigma, 1.0]) ** (1 / depth),) * depth
    moved = tuple(W + 1e-6 * np.eye(2) for W in start)
    limit = problem.stable_step(start, alpha)
    largest = (depth - 2 + 2 * alpha) * sigma ** (2 - 2 / depth)
    assert limit == pytest.approx(2 / largest, rel=1e-12)
    runs = [
        dlnlab.gradient_descent(problem, moved, eta=factor * limit, alpha=alpha, num_steps=400)
        for factor in (0.97, 1.03)
    ]
    assert runs[0].losses[-1] < 1e-3 * runs[0].losses[0]
    assert runs[1].losses[-1] > 1e3 * runs[1].losses[0]


def test_stable_steps_of_other_problems():
    mean = dlnlab.factorization(M, "mean")
    assert mean.stable_step(NARROW) == pytest.approx(64 * PROBLEM.stable_step(NARROW), rel=1e-12)
    mask = dlnlab.random_mask((8, 8), 0.7, rng=0)
    unknown = dlnlab.completion(np.where(mask, M, np.nan))
    top = np.linalg.norm(unknown.surrogate(), 2)
    assert unknown.stable_step(NARROW) == pytest.approx(2 / (3 * top ** (4 / 3)), rel=1e-12)
    large = tuple(10 * W for W in WIDE)  # of norm 1, as the solution's, and 10 times that
    assert PROBLEM.stable_step(tuple(100 * W for W in WIDE)) == pytest.approx(
        2 / (3 * 10.0**4), rel=1e-9
    )
    assert PROBLEM.stable_step(large) == pytest.approx(2 / 3, rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (NARROW[:1], "`weights` must be at least 2 layers"),
        (NARROW[::-1], "`weights` must be layers W_1, …, W_L whose product"),
        ((np.eye(3), np.eye(3)), "`weights` must be layers W_1, …, W_L whose product"),
    ],
)
def test_no_network_has_no_stable_step(weights, message):
    with pytest.raises(ValueError, match=message):
        PROBLEM.stable_step(weights)
