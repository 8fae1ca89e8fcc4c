"""Descent on ratings, scored on held-out ones: nothing leaks, and numbers are what they are called.

The ratings are generated (`small_movielens`); the real ones are not ours to ship.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scripts
from hypothesis import assume, given
from hypothesis import strategies as st

import dlnlab
from dlnlab import baselines, cli, networks
from dlnlab.data import movielens
from dlnlab.data.ratings import Ratings, Split
from dlnlab.experiments import EXPERIMENTS, Network, prediction, simple_models

UNIT = np.finfo(float).eps


@pytest.fixture
def settings(small_movielens):
    """The code's reading on the generated file, cut down."""
    configuration = EXPERIMENTS["fig6-movielens"].configurations(
        "code", 1, quick=True, data=str(small_movielens)
    )[0]
    return configuration | {"active": 0, "num_steps": 300, "record_every": 100, "eps": 0.1}


# ---------------------------------------------------------------------- splits


def pairs(ratings):
    return set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))


def test_a_random_split_depends_on_the_seed_and_an_official_one_is_a_fold(settings):
    ratings = movielens.load(settings["data"], file=movielens.MOVIELENS_100K)
    first, again, other = (prediction.split_ratings(settings | {"seed": k}) for k in (0, 0, 1))
    assert pairs(first.test) == pairs(again.test) != pairs(other.test)
    assert (len(first.train), len(first.test)) == (480, 120)
    fifth = prediction.split_ratings(settings | {"test_share": 0.8})
    assert (len(fifth.train), len(fifth.test)) == (120, 480)
    for seed in range(7):
        split = prediction.split_ratings(settings | {"split": "official", "seed": seed})
        assert pairs(split.test) == pairs(ratings.fold(seed % 5 + 1).test)


@given(st.integers(2, 12), st.integers(0, 50))
def test_the_most_active_are_those_with_the_most_ratings_and_keep_them(count, seed):
    rng = np.random.default_rng(seed)
    users, items = np.divmod(rng.choice(15 * 20, 120, replace=False), 20)
    ratings = Ratings(users, items, rng.uniform(1, 5, 120), (15, 20))
    split = ratings.split(rng=seed)
    by_number = [
        sorted(range(size), key=lambda k, ids=ids: (-ids.tolist().count(k), k))[:count]
        for ids, size in ((users, 15), (items, 20))
    ]
    chosen = np.ix_(*by_number)
    masks = [np.zeros(ratings.shape, dtype=bool) for _ in split]
    for mask, side in zip(masks, split, strict=True):
        mask[side.users, side.items] = True
    assume(all(mask[chosen].any() for mask in masks))
    small = prediction.most_active(ratings, split, count)
    for old, new in zip(split, small, strict=True):
        dense = np.zeros(ratings.shape)
        dense[old.users, old.items] = old.values
        again = np.zeros(new.shape)
        again[new.users, new.items] = new.values
        assert (again == dense[chosen]).all()


# ---------------------------------------------------------------------- nothing leaks


def leaks(settings, method: str) -> bool:
    """Whether other values of the held-out ratings change what is learnt from the others."""
    train, test = prediction.split_ratings(settings)
    other = Ratings(test.users, test.items, 6 - test.values, test.shape)
    runs = [prediction.run_method(method, Split(train, each), settings) for each in (test, other)]
    assert not np.allclose(runs[0].half_mse, runs[1].half_mse)  # the score does see them
    return not np.array_equal(runs[0].losses, runs[1].losses)


@pytest.mark.parametrize("method", prediction.METHODS)
def test_held_out_ratings_are_not_learnt_from(settings, method):
    assert not leaks(settings, method)


def test_a_leak_would_be_noticed(settings, monkeypatch):
    """If methods ran on all ratings, held-out ones included."""
    right = prediction.run_method

    def leaking(name, split, settings):
        users, items, values = (
            np.concatenate([getattr(side, part) for side in split])
            for part in ("users", "items", "values")
        )
        return right(
            name, Split(Ratings(users, items, values, split.train.shape), split.test), settings
        )

    monkeypatch.setattr(prediction, "run_method", leaking)
    assert leaks(settings, "compressed")


# ---------------------------------------------------------------------- numbers


def direct(settings, method="compressed"):
    """Descend without stopping, and score every record by its definition; ½ MSE and RMSE."""
    train, test = prediction.split_ratings(settings)
    problem = train.completion(settings["loss"])
    start = dlnlab.compressed_weights(problem, settings["r_hat"], 3, settings["eps"])
    run = dlnlab.gradient_descent(
        problem, start, eta=settings["eta"], alpha=settings["alpha"],
        num_steps=settings["num_steps"], record_every=settings["record_every"],
        record=("loss", "end_to_end"),
    )  # fmt: skip
    gaps = [W[test.users, test.items] - test.values for W in run.end_to_end]
    squares = np.array([np.mean(gap**2) for gap in gaps])
    return run, squares / 2, np.sqrt(squares)


def test_scores_are_their_definitions_and_a_stopped_descent_is_the_same(settings):
    run, half_mse, rmse = direct(settings)
    scored = prediction.run_method("compressed", prediction.split_ratings(settings), settings)
    assert scored.steps.tolist() == run.steps.tolist()
    assert scored.losses.tolist() == run.losses.tolist()  # bit for bit
    limit = 1e4 * UNIT  # sums over r̂ = 10 and over 120 ratings, of order one
    np.testing.assert_allclose(scored.half_mse, half_mse, rtol=limit)
    curve = scored.curve()
    np.testing.assert_allclose(curve["half_mse"], half_mse, rtol=limit)
    np.testing.assert_allclose(curve["rmse"], rmse, rtol=limit)
    values = prediction.scored_values("x", scored)
    assert values["half_mse: x"] == pytest.approx(half_mse[-1], rel=limit)
    assert values["rmse: x"] == pytest.approx(rmse[-1], rel=limit)
    assert values["best: x"] == pytest.approx(half_mse.min(), rel=limit)


def test_mixing_up_rmse_and_half_mse_would_be_noticed(settings, monkeypatch):
    right = Ratings.half_mse
    monkeypatch.setattr(Ratings, "half_mse", lambda self, W: math.sqrt(2 * right(self, W)))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_scores_are_their_definitions_and_a_stopped_descent_is_the_same(settings)


def test_where_the_curve_falls_and_how_it_rises_again():
    errors = np.array([8.0, 7.0, 3.9, 1.0, 2.0])
    scored = prediction.Scored(np.arange(5) * 10, errors, errors, False, 1.0)
    values = prediction.scored_values("x", scored)
    assert (values["steps_to_half: x"], values["rise: x"], values["best: x"]) == (20.0, 2.0, 1.0)
    never = prediction.Scored(np.arange(2) * 10, errors[:2], errors[:2], False, 1.0)
    assert prediction.scored_values("x", never)["steps_to_half: x"] == math.inf
    lost = prediction.Scored(np.arange(2), errors[:2], np.array([8.0, math.nan]), True, 1.0)
    assert math.isnan(prediction.scored_values("x", lost)["steps_to_half: x"])


def test_the_two_starts_of_descent_on_two_factors(settings):
    """Singular vectors without ε, or factors so small that W is of order ε²."""
    train, test = prediction.split_ratings(settings)
    M = np.zeros(train.shape)
    M[train.users, train.items] = train.values
    U, _, Vh = np.linalg.svd(M)
    W = U[:, :10] @ Vh[:10]
    unscaled = 0.5 * np.mean((W[test.users, test.items] - test.values) ** 2)
    zero = 0.5 * np.mean(test.values**2)
    for start, expected in (("spectral", unscaled), ("gaussian", zero)):
        changed = settings | {"two_factors": start, "num_steps": 1, "eps": 1e-4}
        scored = prediction.run_method("Burer-Monteiro", Split(train, test), changed)
        assert scored.half_mse[0] == pytest.approx(expected, rel=1e-6)
    assert unscaled != pytest.approx(zero, rel=1e-3)


def test_the_paper_s_step_diverges_on_the_sum_loss(settings):
    split = prediction.split_ratings(settings)
    scored = prediction.run_method("compressed", split, settings | {"loss": "sum"})
    assert scored.diverged
    assert math.isnan(scored.half_mse[-1])


# ---------------------------------------------------------------------- simple models


def test_simple_models_are_tuned_without_the_held_out_ratings(settings):
    train, test = prediction.split_ratings(settings)
    other = Ratings(test.users, test.items, 6 - test.values, test.shape)
    found, again = (simple_models.measured(Split(train, t), settings) for t in (test, other))
    for name in simple_models.MODELS:
        assert found[f"ridge: {name}"] == again[f"ridge: {name}"]  # chosen without them
        assert found[f"rmse: {name}"] != again[f"rmse: {name}"]  # and scored on them
        assert found[f"rmse: {name}"] == pytest.approx(math.sqrt(2 * found[f"half_mse: {name}"]))


def test_factors_on_biases_are_what_the_biases_leave(settings):
    train, _ = prediction.split_ratings(settings)
    B, A = simple_models._both(train, 2, 1e9)  # a ridge that allows no factors
    below, above = baselines.biases(train, ridge=simple_models.BIAS_RIDGE)
    np.testing.assert_allclose(A @ B, above @ below, atol=1e-6)
    B, A = simple_models._both(train, 2, 5.0)
    assert train.half_mse((B, A)) < train.half_mse((below, above))


# ---------------------------------------------------------------------- the closed form


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_the_fall_is_where_the_closed_form_says(alpha):
    """On a fully observed matrix of rank one, where nothing else grows.

    It is off by ε/w, w = 1 the size of the layers at the end, by the step size and by the distance
    of records, each below 1 %.
    """
    M = dlnlab.random_target((12, 9), 1, rng=0)
    eta, eps = 0.05, 3e-3
    rows, columns = np.indices(M.shape).reshape(2, -1)
    ratings = Ratings(rows, columns, M[rows, columns], M.shape)
    problem = ratings.completion("sum")
    network = Network(networks.compressed_weights(problem, 1, 3, eps), eta, alpha)
    expected = prediction.steps_to_escape(eta, eps, alpha)
    steps = {"num_steps": math.ceil(1.1 * expected), "record_every": int(expected / 100)}
    scored = prediction.follow(problem, network, ratings, **steps)
    found = prediction.scored_values("x", scored)["steps_to_half: x"]
    assert found == pytest.approx(expected, rel=0.03)
    assert found != pytest.approx(prediction.steps_to_escape(eta, eps, 1.2 * alpha), rel=0.03)


def test_a_run_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    """The fifth leg never ends; what four recorded is kept, and the rest is as in one piece."""
    M = dlnlab.random_target((12, 9), 2, rng=0)
    rows, columns = np.indices(M.shape).reshape(2, -1)
    ratings = Ratings(rows, columns, M[rows, columns], M.shape)
    problem = ratings.completion("sum")
    network = Network(networks.compressed_weights(problem, 3, 3, 0.1), 0.05)
    options = {"num_steps": 200, "record_every": 20}
    whole = prediction.follow(problem, network, ratings, **options)

    legs = []
    right = prediction.descent.gradient_descent

    def interrupted(*args, **more):
        legs.append(more["num_steps"])
        if len(legs) == 5:
            raise KeyboardInterrupt
        return right(*args, **more)

    monkeypatch.setattr(prediction.descent, "gradient_descent", interrupted)
    state = tmp_path / "compressed.npz"
    with pytest.raises(KeyboardInterrupt):
        prediction.follow(problem, network, ratings, **options, state=state)
    resumed = prediction.follow(problem, network, ratings, **options, state=state)
    assert len(legs) == 5 + 6
    again = prediction.follow(problem, network, ratings, **options, state=state)
    assert len(legs) == 5 + 6  # it was finished
    for found in (resumed, again):
        for name in ("steps", "losses", "half_mse"):
            assert np.array_equal(getattr(found, name), getattr(whole, name)), name
        assert not found.diverged
    state.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="must be the state of a run on ratings"):
        prediction.follow(problem, network, ratings, **options, state=state)


# ---------------------------------------------------------------------- the command


def test_a_quick_run_and_its_page(small_movielens, tmp_path, capsys, monkeypatch):
    """The page is drawn from the runs that were kept, without the data."""
    name, out = "fig6-movielens-pair", tmp_path / "out"
    common = ["--quick", "--executor", "serial", "--out", str(out), "--data", str(small_movielens)]
    code = cli.main(["reproduce", name, "--as", "equal", *common])
    assert code == 0, capsys.readouterr().err
    page = (out / "index.html").read_text("utf-8")
    assert f'<img src="{name}/{name}.png"' in page
    assert "most active users" in page
    small_movielens.unlink()
    assert cli.main(["reproduce", "fig17", *common]) == 2
    err = capsys.readouterr().err
    assert "--data must be the MovieLens-100K ratings" in err
    assert f"for fig17, but {small_movielens} does not exist" in err
    generate = scripts.load("generate_reproducing")
    monkeypatch.setattr(generate, "FIGURES", tmp_path)
    told, again = generate.collected(out / name, name)
    assert list(told["study"]["readings"]) == ["equal"]
    generate.draw(again)
    assert (tmp_path / f"{name}.png").is_file()
