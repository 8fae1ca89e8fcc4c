"""Pictures of witnesses: every kind is built again, and what is drawn is what the verdict says."""

from __future__ import annotations

import json

import faults
import numpy as np
import pytest
from dlnlab.validations import MODULES, Profile, gauge, gradients, pictures, theorem1
from matplotlib.text import Text

from dlnlab import claims, networks, plotting, results, validations
from dlnlab.lab.cases import Case, Frame
from dlnlab.lab.recoveries import random_recovery
from dlnlab.lab.tally import Tally

MINI = Profile("mini", batch=24, examples=3, shrinks=4)

TIME = 2.0
"""Of a record at which the modes still move."""

KINDS = {
    ("lemma1", "random"),
    ("lemma1", None),
    ("corollary1", None),
    ("theorem1", None),
    ("theorem1", "beta decreases"),
    ("theorem1", "step size"),
    ("closed_form", None),
    ("closed_form", "fitting time"),
    ("parsimony", None),
    ("parsimony", "residual scalar"),
    ("proposition1", "velocities"),
    ("proposition1", "differencing"),
    ("proposition1_vectors", "velocities"),
    ("proposition1_vectors", "differencing"),
    ("assumption1", None),
    ("dominance", None),
    ("dominance", "adversary"),
    ("theorem2", None),
    ("theorem2_refined", None),
    ("theorem2_sharp", None),
    ("theorem2_any_eps", None),
    ("closed_form_plane", None),
    ("generally_c_vec_0", None),
    ("eq26", None),
    ("dominance_descent", None),
    ("dominance_descent", "registered"),
    ("eq13_compressing", None),
    ("eq13_any_start", None),
    ("eq13_small_c_vec", None),
    ("eq13_large_start", None),
    ("eq13_descent", None),
    ("eq13_descent", "registered"),
    ("eq13_half_step", None),
    ("gauge", "iterates"),
    ("gauge", "loss"),
    ("gradients", None),
    ("group_lasso_fits", None),
    ("group_lasso_columns", None),
    ("empty_columns", "curvature"),
    ("empty_columns", "pruned"),
    ("empty_columns", "descent"),
    ("haar_columns", None),
    ("fine_tuning_rate", "hessian"),
    ("fine_tuning_rate", "descent"),
    ("fine_tuning_rate", "pruned"),
    ("thresholding_descent", None),
    ("thresholding_fixed_points", None),
    ("thresholding_converges", None),
    ("thresholding_recovers", None),
}


@pytest.fixture(scope="module")
def worst():
    """The worst instance of every kind that a small campaign meets: margin, error, witness."""
    kept = {}
    right = Tally.add

    def add(self, margin, error, premises, witness, count=1):
        content = dict(witness() if callable(witness) else witness)
        random = self.about.name == "lemma1" and "kind" in content
        key = (self.about.name, "random" if random else content.get("part"))
        known = kept.get(key)
        if np.isfinite(margin) and (known is None or margin + error < known[0] + known[1]):
            kept[key] = (margin, error, json.loads(json.dumps(results.plain(content))))
        right(self, margin, error, premises, content, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tally, "add", add)
        for name in MODULES:
            validations.validate(name, MINI, seed=1)
        spare = Case(Frame(3, (), 1), (1.0, 0.5, 0.0), Frame(3, (), 2), 3, 0.5, 3)
        theorem1.attack(Tally(claims.CLAIMS["theorem1"]), spare, 0.25, 1.0)  # too rare for so few
    return kept


@pytest.fixture(scope="module")
def right():
    """An instance within the premises of each claim that is drawn from a witness of its own."""
    case = Case(Frame(2, ((1, 2),)), (1.0, 0.5), Frame(2), 3, 0.5, 2, 3)
    told = case.witness()
    turn = gauge.Turn(random_recovery(np.random.default_rng(0), "mask", (3, 2)), (Frame(3, (), 1),))
    line = gradients.LineThrough(
        random_recovery(np.random.default_rng(0), "sensing", (3, 2)), 1, 2, (3,)
    )
    return {
        ("gauge", "iterates"): turn.witness() | {"part": "iterates"},
        ("gauge", "loss"): turn.witness() | {"part": "loss"},
        ("gradients", None): line.witness(),
        ("proposition1_vectors", "velocities"): told | {"time": TIME, "part": "velocities"},
        ("proposition1_vectors", "differencing"): told | {"time": TIME, "part": "differencing"},
    }


def test_every_kind_of_witness_is_met(worst):
    assert set(worst) >= KINDS
    assert set(pictures.MAKERS) == KINDS - {("lemma1", "random")}


@pytest.mark.parametrize("kind", sorted(KINDS, key=str), ids=str)
def test_what_is_drawn_is_what_the_verdict_says(worst, kind):
    margin, error, witness = worst[kind]
    found = pictures.sketch(kind[0], witness)
    flows = {name for name, _ in KINDS if name.startswith(("theorem2", "eq13"))}
    flows |= {"dominance", "closed_form_plane"}
    if kind[0] in flows or kind[1] == "velocities":
        # flows run in a batch there and alone here, on other time grids: alike to within the
        # numerical error of both, and 1 % for the place of the records
        assert abs(found.margin - margin) <= error + found.error + 0.01 * abs(margin)
    else:
        assert (found.margin, found.error) == (margin, error)


@pytest.mark.parametrize("kind", sorted(KINDS, key=str), ids=str)
def test_pictures_are_laid_out(worst, kind):
    figure = pictures.draw(kind[0], worst[kind][2])
    figure.draw_without_rendering()
    boxes = [ax.get_window_extent() for ax in figure.axes]
    for ax in figure.axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel() or ax.get_yticklabels()
        # the title that stands left, if there is one, else the one in the middle
        parts = [ax.xaxis.label, ax.yaxis.label, ax.get_legend()]
        parts += ax.findobj(lambda part: isinstance(part, Text) and part.get_text()[:1] == "(")
        for extent in [part.get_window_extent() for part in parts if part is not None]:
            assert not any(extent.overlaps(data) for data in boxes)
            assert figure.bbox.count_contains(extent.corners()) == 4
    title = figure._suptitle.get_window_extent()
    assert figure.bbox.count_contains(title.corners()) == 4
    assert len(plotting.to_data_uri(figure)) < 200_000


def test_the_deviation_that_is_drawn_is_the_margin(worst):
    margin, error, witness = worst["closed_form", None]
    ax = pictures.draw("closed_form", witness).axes[1]
    line = next(line for line in ax.lines if line.get_label() == "deviation")
    assert np.nanmax(line.get_ydata()) == -margin
    assert ax.collections[0].get_paths()[0].vertices[:, 1].max() == error
    mark = next(line for line in ax.lines if line.get_label() == "worst record")
    worst_place = line.get_xdata()[np.nanargmax(line.get_ydata())]
    assert mark.get_xdata()[0] == worst_place == witness["time"]


def test_a_fault_is_seen_in_the_picture(worst, monkeypatch):
    """A picture is computed, not copied from the witness."""
    margin, _, witness = worst["dominance", None]
    right = claims.dominance.margins
    monkeypatch.setattr(claims.dominance, "margins", lambda a, b: right(a, b) - 0.5)
    assert pictures.sketch("dominance", witness).margin < margin - 0.4


def no_turn(right):
    """U̇ = −U and V̇ = −V, which are not skew in the frames."""
    return lambda U, s, Vh, gradient, depth: (-U, -Vh.mT)


SEEN = {
    ("gauge", "iterates"): (claims.gauge, "turned", faults.turned_back),
    ("gauge", "loss"): (claims.gauge, "turned", faults.turned_back),
    ("gradients", None): (networks, "backward", faults.stale_prefix),
    ("proposition1_vectors", "velocities"): (claims.proposition1, "vector_rates", no_turn),
    ("proposition1_vectors", "differencing"): (claims.proposition1, "vector_rates", no_turn),
}


@pytest.mark.parametrize("kind", SEEN, ids=str)
def test_faults_are_seen_in_pictures_of_right_instances(right, kind, monkeypatch):
    found = pictures.sketch(kind[0], right[kind])
    assert -found.error < found.margin <= 0
    module, name, fault = SEEN[kind]
    monkeypatch.setattr(module, name, fault(getattr(module, name)))
    found = pictures.sketch(kind[0], right[kind])
    assert found.margin < -0.01 < -found.error


def test_the_refined_margin_has_its_bound_in_it():
    case = Case(Frame(2), (1.0, 0.0), Frame(2), 2, 0.3, 2, 5)  # r̂ > r
    plain, refined = (
        pictures.sketch(claim, case.witness()) for claim in ("eq13_any_start", "theorem2_refined")
    )
    assert plain.margin < -1e-5 < -plain.error
    assert refined.margin > -refined.error


@pytest.mark.parametrize("r_hat", [1, 2, 3])
def test_both_bars_of_corollary_1_are_equally_long(r_hat):
    case = Case(Frame(3), (1.0, 0.0, 0.0), Frame(3), 2, 0.5, r_hat, 5)
    figure = pictures.draw("corollary1", case.witness())
    first, second = (bar.get_width() for bar in figure.axes[1].patches)
    assert first == pytest.approx(second, rel=1e-13)
    assert figure.get_suptitle().startswith("Holds here")


def test_what_has_no_picture_is_none(worst):
    assert pictures.draw("gauge", worst["corollary1", None][2]) is None
    assert pictures.draw("theorem9", {}) is None
    case = worst["proposition1", "differencing"][2]
    assert pictures.draw("proposition1", case | {"part": "the flow diverged"}) is None
