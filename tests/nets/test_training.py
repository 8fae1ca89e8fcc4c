"""Training classifiers: against optax, across kills, in both precisions."""

import functools
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jax
import jax_nets
import numpy as np
import optax
import pytest

import dlnlab
from dlnlab import progress
from dlnlab.nets import network, training
from dlnlab.training import loop

KINDS = ("dense", "dln", "compressed")
FIELDS = ("losses", "accuracies", "test_losses", "test_accuracies", "singular_values")


def model(kind="dln"):
    return dlnlab.nets.mlp(12, 10, 4, kind)


def samples(n=70, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 12)).astype(dtype)
    return X, np.argmax(X[:, :4] + 0.3 * rng.standard_normal((n, 4)), axis=1)


def train(kind="dln", dtype=np.float64, **options):
    net = model(kind)
    params = net.init(0, like=np.empty(0, dtype))
    settings = {"eta": 0.01, "num_steps": 30, "record_every": 10, "batch": 16}
    settings |= {"test": samples(40, 1, dtype), "record": tuple(training.QUANTITIES)}
    return dlnlab.nets.train(net, params, samples(dtype=dtype), **settings | options)


def assert_same(run, other):
    assert run.steps.tolist() == other.steps.tolist()
    for name in FIELDS:
        assert (getattr(run, name) == getattr(other, name)).all()
    for name, W in run.weights.items():
        assert (other.weights[name] == W).all()
    for name, values in run.layer_singular_values.items():
        assert (values == other.layer_singular_values[name]).all()
        assert (run.layers[name] == other.layers[name]).all()


def batches(num_steps, batch, seed=0, n=70):
    """The minibatches that the documentation promises: every epoch each sample once."""
    found = []
    for epoch in range(num_steps):
        order = np.random.default_rng([seed, epoch]).permutation(n)
        found += [order[k : k + batch] for k in range(0, n, batch)]
    return found[:num_steps]


def by_optax(optimizer, kind, num_steps, batch, decay=0.0):
    params, (X, y) = model(kind).init(0), samples()
    with jax_nets.in_double():

        def loss(params, X, y):
            F = jax_nets.mlp(params, X)
            fit = optax.softmax_cross_entropy_with_integer_labels(F, y).mean()
            return fit + 0.5 * decay * sum((W**2).sum() for W in params.values())

        gradient = jax.jit(jax.grad(loss))
        state = optimizer.init(params)
        for chosen in batches(num_steps, batch):
            updates, state = optimizer.update(gradient(params, X[chosen], y[chosen]), state)
            params = optax.apply_updates(params, updates)
        return jax.tree.map(np.asarray, params)


OPTAX = {
    "adam": optax.adam,
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "nesterov": functools.partial(optax.sgd, momentum=0.9, nesterov=True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", OPTAX)
def test_training_takes_the_steps_of_optax(method, kind):
    """To 1e-9: Adam divides by √V, which multiplies the roundings of small gradients."""
    run = train(kind, method=method, weight_decay=0.01)
    course = optax.cosine_decay_schedule(0.01, 30)
    expected = by_optax(OPTAX[method](course), kind, 30, 16, 0.01)
    for name, W in run.weights.items():
        np.testing.assert_allclose(W, expected[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "change",
    [{"method": "sgd"}, {"schedule": "constant"}, {"rng": 1}, {"batch": 17}, {"weight_decay": 0.1}],
    ids=lambda change: next(iter(change)),
)
def test_another_setting_would_be_noticed(change):
    run, other = train(), train(**change)
    distance = max(np.abs(W - other.weights[name]).max() for name, W in run.weights.items())
    assert distance > 1e-4


def test_all_samples_at_once_are_the_default():
    (X, y), net, method = samples(), model(), dlnlab.methods.Adam()
    run = train(batch=None, num_steps=3, schedule="constant")
    params = [W.copy() for W in net.init(0).values()]
    kept = [[np.zeros_like(W) for _ in method.slots] for W in params]
    for step in range(1, 4):
        gradients = net.loss_and_gradients(dict(zip(run.weights, params, strict=True)), X, y)[1]
        for W, G, slots in zip(params, gradients.values(), kept, strict=True):
            method.move(step, W, G, slots, 0.01)
    for W, expected in zip(run.weights.values(), params, strict=True):
        assert (expected == W).all()


def test_records_are_of_the_samples_and_the_block():
    run, net = train(), model()
    (X, y), (X2, y2) = samples(), samples(40, 1)
    F, F2 = net.logits(run.weights, X), net.logits(run.weights, X2)
    assert run.accuracies[-1] == np.mean(F.argmax(axis=1) == y)
    assert run.test_accuracies[-1] == np.mean(F2.argmax(axis=1) == y2)
    assert run.losses[-1] == pytest.approx(net.loss_and_gradients(run.weights, X, y)[0], 1e-14)
    assert run.test_losses[-1] == pytest.approx(
        net.loss_and_gradients(run.weights, X2, y2)[0], 1e-14
    )
    assert list(run.layers) == ["W3", "W4", "W5"]
    product = run.weights["W5"] @ run.weights["W4"] @ run.weights["W3"]
    np.testing.assert_allclose(run.end_to_end[-1], product, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        run.singular_values[-1], np.linalg.svd(product)[1], rtol=0, atol=1e-13
    )
    for name, values in run.layer_singular_values.items():
        expected = np.linalg.svd(run.weights[name])[1]
        np.testing.assert_allclose(values[-1], expected, rtol=0, atol=1e-13)
    assert (np.diff(run.clock) > 0).all()
    assert run.clock[-1] < run.seconds
    factors = 0.5 * (1 + np.cos(np.pi * np.arange(30) / 30))
    np.testing.assert_allclose(run.times[-1], 0.01 * factors.sum(), rtol=1e-13)
    np.testing.assert_allclose(run.times[1], 0.01 * factors[:10].sum(), rtol=1e-13)


def test_without_a_test_nothing_is_said_of_one():
    run = train(test=None)
    assert run.test_losses is None
    assert run.test_accuracies is None


def test_precision_is_that_of_the_start():
    """Single precision has 7 digits, of which thirty steps cost some."""
    single, double = train(dtype=np.float32), train()
    for name, W in single.weights.items():
        assert W.dtype == np.float32
        np.testing.assert_allclose(W, double.weights[name], rtol=0, atol=1e-3)
    assert single.losses.dtype == np.float32
    assert not np.array_equal(single.losses, double.losses)


def test_factors_on_step_sizes_are_of_the_parameters_named():
    start, run = model().init(0), train(alpha={"W2": 1e-9, "W6": 0.5})
    assert np.abs(run.weights["W2"] - start["W2"]).max() < 1e-8
    assert np.abs(run.weights["W1"] - start["W1"]).max() > 1e-2
    once = train(num_steps=1, alpha={"W6": 0.5}, method="sgd")
    whole = train(num_steps=1, method="sgd")
    np.testing.assert_allclose(
        once.weights["W6"] - start["W6"], 0.5 * (whole.weights["W6"] - start["W6"]), atol=1e-15
    )


def test_no_factors_are_factors_of_one():
    assert_same(train(alpha={}), train())


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        ([7, 2, 7], [0, 2, 7, 30]),
        (np.array([0, 30]), [0, 30]),
        (range(28, 40), [0, 28, 29, 30]),
        ([], [0, 30]),
        (10**18, [0, 30]),
    ],
)
def test_records_are_of_the_steps_listed(every, steps):
    run, all_of_them = train(record_every=every), train(record_every=1)
    assert run.steps.tolist() == steps
    assert (run.losses == all_of_them.losses[steps]).all()


def test_no_steps_leave_the_start():
    run, start = train(num_steps=0), model().init(0)
    assert run.steps.tolist() == [0]
    assert run.times.tolist() == [0.0]
    assert all((start[name] == W).all() for name, W in run.weights.items())


@pytest.mark.parametrize("every", [[1.0], [-1], ["1"], np.eye(2), "12", None, True])
def test_steps_to_record_are_counts(every):
    with pytest.raises((TypeError, ValueError), match="`record_every` must be"):
        train(record_every=every)


def test_divergence_is_a_status():
    run = train(method="sgd", eta=1e6, loss="squared", record_every=1)
    assert run.status is dlnlab.Status.DIVERGED
    assert run.steps[-1] < 30


def test_a_run_without_losses_looks_at_few_samples_and_still_sees_that_it_diverged(monkeypatch):
    seen, right = [], training.Classifier.measure
    monkeypatch.setattr(network, "PIECE_ON_HOST", 16)
    monkeypatch.setattr(
        training.Classifier,
        "measure",
        lambda self, params, given: seen.append(len(given[1])) or right(self, params, given),
    )
    assert train(record=()).status is dlnlab.Status.COMPLETED
    assert set(seen) == {16}
    run = train(method="sgd", eta=1e6, loss="squared", record_every=1, record=())
    assert run.status is dlnlab.Status.DIVERGED
    seen.clear()
    train(record=("accuracy",))  # goes through all samples once, of which the loss is a by-product
    assert set(seen) == {70}


# Interruptions.


@pytest.mark.parametrize("method", OPTAX)
@pytest.mark.parametrize("step", [1, 13, 29])
def test_resuming_is_bit_identical(tmp_path, monkeypatch, method, step):
    monkeypatch.setattr(loop, "STRETCH", 0.0)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)

    def stop(done, total, loss):
        if done == step:
            raise KeyboardInterrupt

    whole, path = train(method=method), tmp_path / "run.npz"
    with pytest.raises(dlnlab.Interrupted):
        train(method=method, checkpoint=path, progress=stop)
    assert_same(train(method=method, checkpoint=path), whole)


SCRIPT = """
import sys
import numpy as np
import test_training

test_training.train(
    {kind!r}, np.dtype({dtype!r}), num_steps=4000, checkpoint=sys.argv[1], checkpoint_every=0.0
)
"""


@pytest.mark.parametrize(("kind", "dtype"), [("dln", "float32"), ("compressed", "float64")])
def test_a_killed_run_continues_bit_for_bit(tmp_path, kind, dtype):
    path = tmp_path / "run.npz"
    code = textwrap.dedent(SCRIPT.format(kind=kind, dtype=dtype))
    folder = Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=folder)
    until = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.2)
    assert process.poll() is None
    process.kill()
    process.wait()
    with np.load(path) as stored:
        step = int(stored["extra_step"])
    assert 0 < step < 4000
    resumed = train(kind, np.dtype(dtype), num_steps=4000, checkpoint=path)
    assert_same(resumed, train(kind, np.dtype(dtype), num_steps=4000))


def test_more_steps_may_be_asked_for_without_annealing(tmp_path):
    path = tmp_path / "run.npz"
    train(schedule="constant", checkpoint=path, num_steps=17)
    longer = train(schedule="constant", checkpoint=path)
    assert_same(longer, train(schedule="constant"))
    with pytest.raises(ValueError, match="belongs to a run with other weights"):
        train(schedule="cosine", checkpoint=path)


@pytest.mark.parametrize(
    "change",
    [{"rng": 1}, {"batch": 8}, {"eta": 0.02}, {"loss": "squared"}, {"alpha": {"W1": 0.5}}],
    ids=lambda change: next(iter(change)),
)
def test_a_checkpoint_belongs_to_its_run(tmp_path, change):
    path = tmp_path / "run.npz"
    train(checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a run with other weights"):
        train(checkpoint=path, **change)


def test_a_run_is_saved_and_loaded(tmp_path):
    run = train()
    run.save(tmp_path / "run.npz")
    found = dlnlab.Trajectory.load(tmp_path / "run.npz")
    assert_same(found, run)
    assert (found.clock == run.clock).all()
    assert list(found.weights) == list(run.weights)


@pytest.mark.parametrize(
    "name",
    [
        "extra_first_moment.W2",
        "extra_clock",
        "weights.W4",
        "layers.W3",
        "layer_singular_values.W5",
        "names",
        "clock",
        "losses",
    ],
)
@pytest.mark.parametrize("change", ["missing", "cut"])
def test_checkpoints_that_were_changed_are_refused(tmp_path, name, change):
    path = tmp_path / "run.npz"
    train(checkpoint=path)
    content = dict(np.load(path))
    if change == "missing":
        del content[name]
    elif name == "names":
        content[name] = np.array('["W1", "W1", 3]')
    else:
        content[name] = content[name][:-1] if content[name].ndim else -content[name]
    np.savez(path, **content)
    with pytest.raises(ValueError, match="its field `"):
        train(checkpoint=path)


# Arguments.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 0),
        ("batch", 71),
        ("batch", 1.5),
        ("eta", 0.0),
        ("eta", None),
        ("method", "newton"),
        ("schedule", "linear"),
        ("loss", "hinge"),
        ("rng", -1),
        ("rng", "0"),
        ("num_steps", -1),
        ("record_every", 0),
        ("record", ("errors",)),
        ("weight_decay", -0.1),
        ("alpha", {"W9": 1.0}),
        ("alpha", {"W1": 0.0}),
        ("alpha", 0.5),
        ("test", (np.ones((3, 12)),)),
        ("test", (np.ones((3, 11)), np.zeros(3, int))),
        ("test", (np.ones((3, 12), np.float32), np.zeros(3, int))),
        ("test", (np.ones((3, 12)), np.array([0, 1, 4]))),
    ],
)
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=rf"`{name}"):
        train(**{name: value})


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="`model` must be"):
        dlnlab.nets.train(None, {}, samples(), eta=0.1, num_steps=1)


def test_a_run_that_does_not_fit_is_refused_before_it_starts():
    with pytest.raises(ValueError, match=r"would need .*`record_every`.*`num_steps`"):
        train(num_steps=10**12, record_every=1, record=("layers",))


def test_memory_counts_what_a_method_keeps(monkeypatch):
    """Each of a method's arrays is there twice, and a third time where a step's work allows."""
    found = []
    monkeypatch.setattr(
        training.memory.Footprint, "require", lambda self, like: found.append(self.work)
    )
    for method in ("sgd", "momentum", "adam"):
        train(method=method, num_steps=0)
    size = 8 * model().num_parameters
    assert 2 * size <= found[1] - found[0] <= 3 * size
    assert 2 * size <= found[2] - found[1] <= 3 * size
