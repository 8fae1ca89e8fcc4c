"""Figures: what is in them, for every kind of comparison, without a display and without warnings.

Warnings are errors in this suite, so drawing and saving a figure already asserts that Matplotlib
found nothing to complain about (empty logarithmic axes, missing glyphs, a layout that collapsed).
"""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree

import comparisons
import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text

import dlnlab
from dlnlab import plotting
from dlnlab.claims import assumption1


@pytest.fixture(scope="module", params=comparisons.ALL)
def drawn(request):
    """A comparison and its figure, laid out."""
    c = comparisons.ALL[request.param]()
    figure = plotting.comparison(c)
    figure.draw_without_rendering()
    return c, figure


def new_axes():
    return Figure().subplots()


def lines(ax, style=None):
    """Curves of a panel, without markers and axis-wide lines."""
    curves = [line for line in ax.lines if len(line.get_xdata()) > 2]
    return [line for line in curves if style is None or line.get_linestyle() == style]


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_figure_of_every_kind_of_comparison_is_complete(drawn):
    c, figure = drawn
    panels = figure.axes[:4]
    assert [ax.get_title(loc="left")[:3] for ax in panels] == ["(a)", "(b)", "(c)", "(d)"]
    for ax in panels:
        assert ax.get_xlabel() == "time $t$"
        assert ax.get_ylabel()
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    assert f"rank {c.targets.size}" in figure.get_suptitle()


def test_words_cover_no_data_and_are_large_enough(drawn):
    _, figure = drawn
    boxes = [ax.get_window_extent() for ax in figure.axes[:4]]
    for ax in figure.axes[:4]:
        texts = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label]
        assert min(text.get_fontsize() for text in texts) >= 8
        title = ax.findobj(lambda part: isinstance(part, Text) and part.get_text()[:1] == "(")[0]
        parts = [ax.yaxis.label, ax.xaxis.label, title, ax.get_legend()]
        for box in [part.get_window_extent() for part in parts if part is not None]:
            assert not any(box.overlaps(data) for data in boxes)
            assert figure.bbox.count_contains(box.corners()) == 4


def test_tick_labels_of_the_margin_do_not_touch(drawn):
    ax = drawn[1].axes[3]
    low, high = ax.get_ylim()
    ticks = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    boxes = [label.get_window_extent() for tick, label in ticks if low <= tick <= high]
    assert len(boxes) >= 2
    assert all(below.y1 <= above.y0 + 1 for below, above in itertools.pairwise(boxes))


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_equal_figures_are_equal_files(suffix, start, tmp_path):
    paths = [tmp_path / f"{k}.{suffix}" for k in range(2)]
    for path in paths:
        plotting.save(plotting.singular_values(comparisons.usual(), new_axes()).figure, path)
    assert paths[0].read_bytes().startswith(start)
    assert paths[0].stat().st_size > 5_000
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_errors_draws_both_networks_apart_by_colour_and_style():
    c, ax = comparisons.usual(), new_axes()
    assert plotting.errors(c, ax) is ax
    original, compressed = lines(ax)
    np.testing.assert_array_equal(original.get_ydata(), c.original.errors)
    assert original.get_color() != compressed.get_color()
    assert (original.get_linestyle(), compressed.get_linestyle()) == ("-", "--")
    assert ax.get_yscale() == "log"
    assert legend_texts(ax) == ["original", "compressed"]


def test_errors_that_reach_zero_are_left_out():
    c = comparisons.single()
    errors = np.asarray(c.compressed.errors).copy()
    errors[-3:] = 0.0
    c = dataclasses.replace(c, compressed=dataclasses.replace(c.compressed, errors=errors))
    ax = plotting.errors(c, new_axes())
    assert np.isnan(lines(ax)[1].get_ydata()[-3:]).all()
    assert ax.get_ylim()[0] > 0


def test_errors_that_hardly_move_get_a_decade():
    low, high = plotting.errors(comparisons.never_fitted(), new_axes()).get_ylim()
    assert high / low > 10


def test_singular_values_draws_modes_targets_and_fitting_times():
    c = comparisons.usual()
    ax = plotting.singular_values(c, new_axes())
    assert len(lines(ax, "-")) == 3 + 1  # the modes, and σ_{r+1}
    assert len(lines(ax, "--")) == 3
    targets = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(targets, c.targets)
    marks = {line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"}
    assert marks == {*c.fitting_times.original, *c.fitting_times.compressed}
    assert legend_texts(ax) == ["original", "compressed", "target", "$t_i$", r"$\sigma_{r+1}$"]


def test_singular_values_leaves_out_what_the_compressed_network_lacks():
    c = comparisons.too_narrow()
    ax = plotting.singular_values(c, new_axes())
    assert len(lines(ax, "--")) == 2
    assert len([line for line in ax.lines if line.get_marker() == "|"]) == 3 + 2


def test_values_that_are_never_fitted_have_no_mark():
    c = comparisons.never_fitted()
    ax = plotting.singular_values(c, new_axes())
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"]
    assert sorted(marks) == sorted(c.fitting_times.compressed)


def test_many_modes_are_thinned_and_it_says_so():
    c = comparisons.many_modes()
    for draw in (plotting.singular_values, plotting.alignments):
        ax = draw(c, new_axes())
        assert len(lines(ax, "-")) - (draw is plotting.singular_values) == 12
        assert ax.child_axes[0].get_ylabel() == "mode $i$, 12 of 100 shown"


def test_colour_bar_names_a_few_modes_one_by_one():
    ax = plotting.alignments(comparisons.usual(), new_axes())
    assert ax.child_axes[0].get_yticks().tolist() == [1, 2, 3]
    assert not plotting.alignments(comparisons.single(), new_axes()).child_axes


def test_alignments_are_the_smaller_of_left_and_right_with_gaps():
    c = comparisons.usual()
    ax = plotting.alignments(c, new_axes())
    drawn = np.array([line.get_ydata() for line in lines(ax)]).T
    expected = np.minimum(c.original.left_alignments, c.original.right_alignments)
    np.testing.assert_array_equal(drawn, expected)
    assert np.isnan(drawn[0]).all()  # at the start every singular value is the same
    assert "left, right" in ax.get_ylabel()


def test_margin_shows_both_signs_and_the_refined_bound():
    c = comparisons.negative()
    ax = plotting.margin(c, new_axes())
    margin, bound = lines(ax)
    np.testing.assert_array_equal(margin.get_ydata(), c.margin)
    np.testing.assert_allclose(bound.get_ydata(), -(c.residual**2))
    assert ax.get_yscale() == "symlog"
    lowest = float(np.min(c.margin))
    assert lowest < -ax.yaxis.get_transform().linthresh
    low, high = ax.get_ylim()
    assert low < lowest < 0 < np.max(c.margin) < high
    assert (ax.get_yticks() < 0).any()
    assert (ax.get_yticks() > 0).any()
    assert ax.get_title() == "Theorem 2's margin, partly negative"


def test_margin_without_spare_rank_has_no_bound():
    ax = plotting.margin(comparisons.single(), new_axes())
    assert [text.split(",")[0] for text in legend_texts(ax)] == ["numerical error", "margin"]
    assert ax.get_title() == "Theorem 2's margin, never negative"


def test_margin_band_is_where_the_numerical_error_hides_the_sign():
    c = comparisons.usual()
    for error in (0.5, 1e-9):
        c = dataclasses.replace(c, margin_error=np.full(c.times.size, error))
        ax = plotting.margin(c, new_axes())
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert (band.min(), band.max()) == (-error, error)
        assert f"≤ {error:g}" in legend_texts(ax)[0]
        assert error >= ax.yaxis.get_transform().linthresh  # so it can be seen


def test_time_axis_is_logarithmic_where_fitting_times_spread():
    assert plotting.errors(comparisons.many_modes(), new_axes()).get_xscale() == "log"
    ax = plotting.errors(comparisons.usual(), new_axes())
    assert ax.get_xscale() == "linear"
    assert ax.get_xlim()[0] == 0


def test_plot_draws_into_a_given_figure_and_leaves_the_style_alone():
    before, figure = dict(rcParams), Figure(figsize=(3, 3))
    assert comparisons.usual().plot(figure) is figure
    assert figure.get_size_inches().tolist() == [3, 3]
    assert dict(rcParams) == before


# ---------------------------------------------------------------------- Assumption 1


@pytest.fixture(scope="module", params=comparisons.ALL)
def diagnosed(request):
    """A comparison and the figure of its Assumption 1, laid out."""
    c = comparisons.ALL[request.param]()
    figure = c.plot_assumption1()
    figure.draw_without_rendering()
    return c, figure


def test_diagnostics_of_every_kind_of_comparison_are_complete(diagnosed):
    _, figure = diagnosed
    boxes = [ax.get_window_extent() for ax in figure.axes[:4]]
    for letter, ax in zip("abcd", figure.axes[:4], strict=True):
        assert ax.get_title(loc="left")[:3] == f"({letter})"
        assert ax.get_xlabel() == "time $t$"
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
        for part in (ax.xaxis.label, ax.yaxis.label, ax.get_legend()):
            if part is not None:
                extent = part.get_window_extent()
                assert not any(extent.overlaps(data) for data in boxes)
                assert figure.bbox.count_contains(extent.corners()) == 4


def test_running_constants_end_at_the_measured_ones():
    c = comparisons.usual()
    values = np.asarray(c.original.singular_values)[:, : c.targets.size]
    alignments = (c.original.left_alignments, c.original.right_alignments)
    curves = assumption1.running(values, *alignments, c.targets)
    for i, t in enumerate(c.fitting_times.original):
        later = int(np.searchsorted(c.times, t))
        for name in ("c_val", "c_vec"):
            curve, constant = getattr(curves, name)[:, i], getattr(c, name).original[i]
            assert curve[later] <= constant <= curve[later - 1] * (1 + 1e-12)
            assert (np.diff(curve) <= 0).all()


def test_running_constants_draw_a_dot_at_every_fitting_time():
    c = comparisons.usual()
    for draw, constants, networks in ((plotting.c_val, c.c_val, 2), (plotting.c_vec, c.c_vec, 1)):
        ax = draw(c, new_axes())
        dots = [line for line in ax.lines if line.get_marker() == "o"]
        expected = np.concatenate([*constants[:networks]])
        np.testing.assert_array_equal([line.get_ydata()[0] for line in dots], expected)
        assert len(lines(ax)) == 3 * networks
        assert ax.get_yscale() == "log"


def test_values_that_overshoot_need_a_larger_constant():
    values = np.array([0.0, 1.0, 1.3, 1.0])[:, None]
    aligned = np.array([np.nan, 0.5, 1.0, np.nan])[:, None]
    curves = assumption1.running(values, aligned, aligned, np.ones(1))
    np.testing.assert_allclose(curves.c_val.ravel(), [1, 0.09, 0.09, 0])
    np.testing.assert_allclose(curves.c_vec.ravel(), [0.5, 0.5, 0, np.nan])


@pytest.fixture(scope="module")
def smaller():
    """Two instances for four ε each."""
    rows = []
    for seed in (0, 1):
        M = dlnlab.random_target((8, 8), 2, rng=seed)
        scales = (0.4, 0.3, 0.2, 0.1)
        rows.append([dlnlab.compare(M, 2, eps=e, rng=seed, **comparisons.FAST) for e in scales])
    return rows


def test_small_starts_draws_points_laws_and_intervals(smaller):
    for rows in (smaller, smaller[0]):
        figure = plotting.small_starts(rows)
        figure.draw_without_rendering()
        texts = [legend_texts(ax) for ax in figure.axes]
        assert [len(text) for text in texts] == [2, 1, 1, 1]
        assert all(r"\pm" in entry for text in texts for entry in text)
        assert figure.axes[0].get_xlabel() == r"initialization scale $\varepsilon$"


def test_constants_are_those_of_the_comparisons(smaller):
    ax = plotting.constants(smaller, new_axes(), ["t_r"])
    points = np.array([line.get_ydata() for line in ax.lines[:2]])
    expected = [[c.fitting_times.original[-1] for c in row[::-1]] for row in smaller]
    np.testing.assert_array_equal(points, expected)
    assert r"p=-" in legend_texts(ax)[0]  # t_i grows as ε falls


def test_constants_without_enough_scales_have_no_law():
    ax = plotting.constants([comparisons.single()], new_axes(), ["c_vec", "delay"])
    assert not any("pm" in text for text in legend_texts(ax))


@pytest.mark.parametrize(
    ("rows", "names", "message"),
    [
        ([], ["c_val"], "`comparisons` must hold at least one"),
        ([[]], ["c_val"], "`comparisons` must have one comparison per ε"),
        ([comparisons.single(), comparisons.single()], ["c_val"], "got one with ε = "),
        ([comparisons.single()], ["c_wal"], "`names` must be some of"),
        ([comparisons.single()], [], "`names` must be some of"),
    ],
)
def test_constants_refuses(rows, names, message):
    with pytest.raises(ValueError, match=message):
        plotting.constants(rows, new_axes(), names)


# ---------------------------------------------------------------------- pages


def test_data_uri_is_one_svg_without_outside_references():
    texts = [plotting.to_data_uri(comparisons.usual().plot()) for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(texts[0]) < 200_000
    head, body = texts[0].split(",")
    assert head == "data:image/svg+xml;base64"
    svg = base64.b64decode(body).decode()
    assert xml.etree.ElementTree.fromstring(svg).tag.endswith("svg")
    assert set(re.findall(r'href="(.)', svg)) == {"#"}
    assert "<text" not in svg


def test_rounded_paths_stay_where_they_were():
    figure = comparisons.single().plot()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # a second layout moves things again
    exact = io.BytesIO()
    with rc_context({"svg.hashsalt": "dlnlab"}):
        figure.savefig(exact, format="svg")
    short = base64.b64decode(plotting.to_data_uri(figure).split(",")[1]).decode()
    before, after = (
        [float(x) for d in re.findall(r' d="([^"]*)"', text) for x in re.findall(r"-?[\d.]+", d)]
        for text in (exact.getvalue().decode(), short)
    )
    np.testing.assert_allclose(after, before, atol=0.0051)


def test_figure_shows_itself_in_a_notebook():
    assert comparisons.single().plot()._repr_png_().startswith(b"\x89PNG")


def test_drawing_needs_no_pyplot():
    code = "import sys, dlnlab.plotting; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
