"""The classifiers: sizes and costs of Table 1, starts, and gradients by hand against three oracles.

Oracles: Taylor slopes of the loss; JAX's derivatives of the models written down again
(`jax_nets.py`); and for the parts, sums written out entry by entry.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from instances import assert_close

import dlnlab
from dlnlab import nets, networks
from dlnlab.nets import block as blocks
from dlnlab.nets import losses, maps, network
from dlnlab.numerics import arrays, spectra

UNIT = np.finfo(float).eps
KINDS = ("dense", "dln", "compressed")
LOSSES = ("cross_entropy", "squared")
PATCH, HEADS, CLASSES = 4, 2, 4


def small(family: str, kind: str) -> network.Network:
    """A model of a few hundred or thousand parameters, no two sizes of it the same."""
    if family == "linear":
        return nets.deep_linear(12, CLASSES)
    r_hat = 3 if kind == "compressed" else None
    if family == "mlp":
        return nets.mlp(12, 9, CLASSES, kind, r_hat)
    return nets.vit((8, 12, 2), PATCH, 16, 3, HEADS, 20, CLASSES, kind, r_hat)


def data(model: network.Network, n: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, *model.image)), rng.integers(0, model.classes, n)


def start(model: network.Network, seed: int = 1):
    """Parameters of order one, the constants among them drawn too."""
    rng = np.random.default_rng(seed)
    return {name: W + 0.3 * rng.standard_normal(W.shape) for name, W in model.init(seed).items()}


MODELS = [(family, kind) for family in ("mlp", "vit") for kind in KINDS]
MODELS.append(("linear", "dln"))
each_model = pytest.mark.parametrize(("family", "kind"), MODELS)
each_loss = pytest.mark.parametrize("loss", LOSSES)


# ------------------------------------------------------------------ Table 1

TABLE = {
    # model and block: parameters; then, as printed, millions of them, MACs and memory
    ("mlp", "dense"): (1_851_808, "1.850", "2.370e+07", "25.80"),
    ("mlp", "dln"): (3_081_120, "3.080", "3.940e+07", "35.90"),
    ("mlp", "compressed"): (1_301_472, "1.300", "1.670e+07", "21.60"),
    ("vit", "dense"): (25_230_858, "25.20", "2.100e+10", "7.110"),
    ("vit", "dln"): (44_105_226, "44.10", "3.640e+10", "7.811"),
    ("vit", "compressed"): (23_802_954, "23.80", "1.980e+10", "7.090"),
}


def model_of_table(family: str, kind: str) -> network.Network:
    return nets.mlp(penultimate=kind) if family == "mlp" else nets.vit(penultimate=kind)


def three_digits(value: float) -> str:
    return f"{value:.2e}"


@pytest.mark.parametrize(("family", "kind"), TABLE)
def test_parameters_are_those_of_table_1(family, kind):
    count, printed, _, _ = TABLE[family, kind]
    model = model_of_table(family, kind)
    assert model.num_parameters == count
    # The table's last digit is always 0: three digits carry information (1.851 M is 1.850 there).
    assert three_digits(count / 1e6) == three_digits(float(printed))


@pytest.mark.parametrize(("family", "kind"), TABLE)
def test_macs_are_ten_times_those_of_table_1(family, kind):
    """Its column is one power of ten too low for a batch of 128, in every row."""
    printed = TABLE[family, kind][2]
    assert three_digits(model_of_table(family, kind).macs(batch=128)) == three_digits(
        10 * float(printed)
    )


def test_macs_of_an_mlp_are_its_parameters_for_every_sample():
    """Without biases every parameter multiplies once for each sample; a ViT's do for each token."""
    for kind in KINDS:
        model = nets.mlp(penultimate=kind)
        assert model.macs(batch=3) == 3 * model.num_parameters
    model = nets.vit()
    tokens, dim, inner = 64, 512, 3072
    block = tokens * (4 * dim**2 + 2 * dim * inner) + 2 * tokens**2 * dim
    assert model.macs(batch=1) == tokens * 48 * dim + 6 * block + dim * 10


def test_memory_of_the_mlps_differs_from_table_1_by_one_constant():
    """Weights, gradients, activations and input in single precision, and 10.1 MiB besides.

    The table's MB are MiB, printed to 0.1, so that each difference is known to 0.05.
    """
    rest = [
        float(TABLE["mlp", kind][3]) - model_of_table("mlp", kind).memory(batch=128) / 2**20
        for kind in KINDS
    ]
    assert max(rest) - min(rest) < 0.1
    assert all(abs(each - 10.1) < 0.05 for each in rest), rest


def test_memory_of_the_vits_is_not_of_that_form():
    """A framework keeps several copies of a transformer's activations: the floor is a fifth."""
    for kind, floor in zip(KINDS, (1458, 1794, 1450), strict=True):
        model = model_of_table("vit", kind)
        assert round(model.memory(batch=128) / 2**20) == floor
        assert 4 < float(TABLE["vit", kind][3]) * 1e9 / model.memory(batch=128) < 5


def test_other_architectures_miss_the_table():
    """What fixes the ViT: patches, and the width that makes the counts of all three rows."""
    assert three_digits(nets.vit(patch=8).macs() / 1e10) != "2.10e+01"
    assert three_digits(nets.vit(mlp_dim=2048).num_parameters / 1e6) != "2.52e+01"
    assert three_digits(nets.mlp(width=768).num_parameters / 1e6) != "1.85e+00"


# ------------------------------------------------------------------ the start


@each_model
def test_a_start_has_the_shapes_and_counts(family, kind):
    model = small(family, kind)
    params = model.init(0)
    assert {name: W.shape for name, W in params.items()} == {
        name: parameter.shape for name, parameter in model.parameters.items()
    }
    assert sum(W.size for W in params.values()) == model.num_parameters


@pytest.mark.parametrize("family", ["mlp", "vit"])
def test_layers_outside_the_block_are_the_same_for_one_seed(family):
    wide, dense, narrow = (small(family, kind) for kind in ("dln", "dense", "compressed"))
    first = dense.init(7)
    for other in (wide, narrow):
        second = other.init(7)
        outside = zip(_outside(dense, first), _outside(other, second), strict=True)
        assert all(np.array_equal(a, b) for a, b in outside)
    assert not np.array_equal(first["W1" if family == "mlp" else "head.W"], 0)


def _outside(model, params):
    return [W for name, W in params.items() if name not in model.block_names]


def test_the_block_of_a_wide_network_is_this_package_s_start():
    """Eq. (4): the layers are ε times semi-orthogonal, and those of `original_weights`."""
    model = small("vit", "dln")
    layers = [model.init(0, eps=0.1)[name] for name in model.block_names]
    assert [W.shape for W in layers] == [(20, 20), (20, 20), (16, 20)]
    for W in layers:
        # Householder QR: orthonormal to a small multiple of d u (Higham 2002, thm 19.4).
        assert_close(W @ W.T, 0.01 * np.eye(len(W)), 10 * 20 * UNIT * 0.01)
    child = dlnlab.numerics.checks.generator("rng", 0, "network").spawn(2)[1]
    expected = dlnlab.original_weights((16, 20), 3, 0.1, rng=child)
    assert all(np.array_equal(a, b) for a, b in zip(layers, expected, strict=True))


def test_the_block_of_a_compressed_network_is_algorithm_1():
    model, eps = nets.mlp(30, 30, 4, "compressed", 6), 0.2
    W1, W2, W3 = (model.init(0, eps=eps)[name] for name in model.block_names)
    assert np.array_equal(W2, eps * np.eye(6))
    for frame in (W1.T, W3):
        assert frame.shape == (30, 6)
        assert_close(frame.T @ frame, eps**2 * np.eye(6), 10 * 30 * UNIT * eps**2)
    other = model.init(1, eps=eps)
    assert not np.array_equal(other["W3"], W1)


@pytest.mark.parametrize("r_hat", [2, 3, 9])
def test_a_cross_correlation_chooses_the_first_right_vectors(r_hat):
    """As many as its rank or r̂, in its order; the others are random; the left ones know nothing."""
    model = nets.mlp(30, 30, 4, "compressed", r_hat)
    X, y = data(model, 50)
    y[y == 3] = 0  # rank 3
    M = nets.cross_correlation(X, y, 4)
    assert_close(M, np.stack([X[y == c].sum(axis=0) for c in range(4)]), 100 * UNIT * 50)
    first, second = (model.init(seed, correlation=M) for seed in (0, 1))
    known, V = min(r_hat, 3), np.linalg.svd(M)[2][:3].T
    for params in (first, second):
        frame = params["W3"].T
        assert_close(frame.T @ frame, np.eye(r_hat), 10 * 30 * UNIT)
        for k in range(known):
            # Simple singular values: a vector is known to eps·σ_1/gap; both sides take one SVD.
            assert abs(abs(frame[:, k] @ V[:, k]) - 1) < 1e-10
    assert np.array_equal(first["W3"][:known], second["W3"][:known])
    assert r_hat <= 3 or not np.array_equal(first["W3"][known:], second["W3"][known:])
    assert not np.array_equal(first["W5"], second["W5"])


def test_a_cross_correlation_may_be_of_single_precision():
    """Of its rank as it is, and its vectors to the digits that it has."""
    model = nets.mlp(12, 9, CLASSES, "compressed", 6)
    rng = np.random.default_rng(0)
    M = np.outer(rng.standard_normal(4), rng.standard_normal(9))  # of rank 1
    M += np.outer(rng.standard_normal(4), rng.standard_normal(9))  # and 2
    double, single = (model.init(0, correlation=M.astype(kind))["W3"] for kind in "df")
    assert spectra.subspace_distance(double[:2].T, single[:2].T) < 1e-12  # squares of 1e-7
    assert_close(single @ single.T, np.eye(6), 1e-14, "orthonormal")


def test_other_layers_start_uniform_or_orthogonal():
    model = nets.vit((16, 16, 3), 4, 64, 1, 4, 128, 10)
    params = model.init(0)
    for name, parameter in model.parameters.items():
        if parameter.fan_in:
            bound = 1 / math.sqrt(parameter.fan_in)
            # Of n uniform numbers the largest is above 0.5 of the bound but for 2⁻ⁿ, n ≥ 10.
            assert 0.5 * bound < np.abs(params[name]).max() <= bound, name
        else:
            assert set(params[name]) == {1.0 if name.endswith("scale") else 0.0}
    params = model.init(0, init="orthogonal", eps=0.5)
    for name, W in params.items():
        if W.ndim == 2:
            scale = 0.5 if name in model.block_names else 1.0
            values = np.linalg.svd(W, compute_uv=False)
            assert_close(values, np.full(min(W.shape), scale), 10 * max(W.shape) * UNIT)
        else:
            assert set(W) == {1.0 if name.endswith("scale") else 0.0}


@each_model
def test_one_seed_gives_the_same_start_on_every_device(backend, family, kind):
    model = small(family, kind)
    like = backend.asarray(np.zeros(1, dtype=np.float32))
    for name, W in model.init(3, like=like).items():
        assert np.array_equal(backend.to_host(W), model.init(3)[name].astype(np.float32))


# ------------------------------------------------------------------ gradients


def check_taylor(model, params, X, y, loss, names=None):
    """Require slope 2 of |ℓ(θ + hD) − ℓ(θ) − h⟨∇ℓ, D⟩| for a direction D of the named parameters.

    Parameters and D are of order one.  Between h = 1e-3, where cubic terms bend the line, and
    h = 1e-5, where the rounding of the loss is a thousandth of h², both change the fitted slope by
    less than a few hundredths; a wrong gradient leaves a linear term and slope 1.  (Where an entry
    crossed the kink of a ReLU on the way, the line would break.)
    """
    rng = np.random.default_rng(2)
    D = {name: rng.standard_normal(params[name].shape) for name in names or params}
    size = math.sqrt(sum(float(np.sum(d**2)) for d in D.values()))
    base, gradients = model.loss_and_gradients(params, X, y, loss=loss)
    slope = sum(float(np.sum(gradients[name] * d)) for name, d in D.items()) / size
    steps, remainders = np.geomspace(1e-3, 1e-5, 7), []
    for h in steps:
        moved = params | {name: params[name] + h / size * d for name, d in D.items()}
        remainders.append(abs(value(model, moved, X, y, loss) - base - h * slope))
    fitted = np.polyfit(np.log(steps), np.log(remainders), 1)[0]
    assert abs(fitted - 2) < 0.1, f"{names}: Taylor slope {fitted:.4f}, not 2: {remainders}"


def value(model, params, X, y, loss):
    return float(model.loss_and_gradients(params, X, y, loss=loss)[0])


@each_model
@each_loss
def test_gradients_are_the_slopes_of_the_loss(family, kind, loss):
    model = small(family, kind)
    params, (X, y) = start(model), data(model)
    check_taylor(model, params, X, y, loss)
    for name in params:
        check_taylor(model, params, X, y, loss, [name])


def reference(model, params, X, y, loss):
    """Logits, loss and gradients of the same model in JAX."""
    try:
        import jax_nets
    except ImportError as error:
        pytest.skip(f"JAX is not installed (extra `test`): {error}")
    forward = jax_nets.mlp if "W4" in params else jax_nets.linear
    if model.tokens > 1:
        forward = functools.partial(jax_nets.vit, patch=PATCH, heads=HEADS)
    return jax_nets.results(forward, params, X, y, loss)


def check_jax(model, params, X, y, loss="cross_entropy", move=np.asarray, back=np.asarray):
    """Loss, logits and every gradient to 1e-12 of its largest entry, or better.

    These are sums of some thousand terms of one size, each with a relative error of 1e-16.
    """
    logits, expected, slopes = reference(model, params, X, y, loss)
    there, samples = {name: move(W) for name, W in params.items()}, move(X)
    found, gradients = model.loss_and_gradients(there, samples, move(y), loss=loss)
    assert abs(float(found) - expected) <= 1e-13 * abs(expected)
    assert list(gradients) == list(params)
    for name, want in slopes.items():
        assert_close(back(gradients[name]), want, 1e-12 * np.abs(want).max(), name)
    got = back(model.logits(there, samples))
    assert_close(got, logits, 1e-13 * np.abs(logits).max(), "logits")


@each_model
@each_loss
def test_gradients_and_logits_are_those_of_jax(backend, family, kind, loss):
    model = small(family, kind)
    check_jax(model, start(model), *data(model), loss, backend.asarray, backend.to_host)


@each_model
def test_single_precision_stays_single_and_is_close(family, kind):
    model = small(family, kind)
    params, (X, y) = start(model), data(model)
    single = {name: W.astype(np.float32) for name, W in params.items()}
    _, wanted = model.loss_and_gradients(params, X, y)
    loss, gradients = model.loss_and_gradients(single, X.astype(np.float32), y)
    assert {loss.dtype, *(g.dtype for g in gradients.values())} == {np.dtype(np.float32)}
    for name, want in wanted.items():
        # A thousand roundings of relative size 6e-8 on the way, of errors that mostly cancel.
        assert_close(gradients[name], want, 1e-4 * np.abs(want).max(), name)


@each_model
def test_pieces_and_the_multiplied_out_block_change_nothing_but_rounding(monkeypatch, family, kind):
    model = small(family, kind)
    params, (X, y) = start(model), data(model, 50)
    found = {}
    for pieces in (1, 7 * model.tokens, 10**6):
        for out in (False, True):
            monkeypatch.setattr(network, "PIECE_ON_HOST", pieces)
            monkeypatch.setattr(blocks.Block, "multiplied_out", lambda self, n, out=out: out)
            found[pieces, out] = model.loss_and_gradients(params, X, y), model.logits(params, X)
    (loss, gradients), logits = found.pop((10**6, False))
    for (other, others), more in found.values():
        assert abs(other - loss) <= 1e-13 * loss
        assert_close(more, logits, 1e-12 * np.abs(logits).max(), "logits")
        for name, want in gradients.items():
            assert_close(others[name], want, 1e-12 * np.abs(want).max(), name)


def test_the_block_is_multiplied_out_where_that_is_less_work():
    """For d × d layers from d samples on; never for a narrow network, nor for a single matrix."""
    wide = blocks.Block((784, 784), "dln", None)
    assert not wide.multiplied_out(784)
    assert wide.multiplied_out(785)
    assert not blocks.Block((784, 784), "compressed", 40).multiplied_out(10**9)
    assert not blocks.Block((784, 784), "dense", None).multiplied_out(10**9)
    # Forward and back 3 n Σ d_l d_{l−1}, against 3 n d_L d_0 and 3 Σ_{l≥2} d_l d_{l−1} d_0.
    uneven = blocks.Block((512, 3072), "dln", None)
    one_by_one = 3 * (2 * 3072**2 + 512 * 3072)
    once = 3 * (3072**2 + 512 * 3072) * 3072
    limit = once / (one_by_one - 3 * 512 * 3072)
    assert uneven.multiplied_out(math.ceil(limit) + 1)
    assert not uneven.multiplied_out(math.floor(limit) - 1)


def test_the_data_and_the_parameters_are_left_alone():
    for family, kind in MODELS:
        model = small(family, kind)
        params, (X, y) = start(model), data(model)
        before = {name: W.copy() for name, W in params.items()}, X.copy(), y.copy()
        _, gradients = model.loss_and_gradients(params, X, y)
        assert all(np.array_equal(params[name], W) for name, W in before[0].items())
        assert np.array_equal(X, before[1])
        assert np.array_equal(y, before[2])
        for gradient in gradients.values():
            assert not any(np.shares_memory(gradient, W) for W in (*params.values(), X))
            assert gradient.flags.writeable


def test_images_for_an_mlp_are_flattened():
    model = nets.mlp(12, 9, CLASSES)
    params, (X, y) = start(model), data(model)
    flat, shaped = (model.loss_and_gradients(params, x, y) for x in (X, X.reshape(5, 3, 4)))
    assert flat[0] == shaped[0]


# ------------------------------------------------------------------ parts, written out


def differences(function, Z, G, h=1e-6):
    """⟨G, F(Z + h e) − F(Z − h e)⟩/2h for every entry e of Z."""
    slopes = np.zeros_like(Z)
    for place in np.ndindex(*Z.shape):
        step = np.zeros_like(Z)
        step[place] = h
        slopes[place] = np.sum(G * (function(Z + step) - function(Z - step))) / (2 * h)
    return slopes


def written_out_norm(scale, shift, Z):
    F = np.empty_like(Z)
    for j in range(Z.shape[1]):
        z = Z[:, j]
        mean = sum(z) / len(z)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in z) / len(z) + 1e-5)
        F[:, j] = [a * (x - mean) / deviation + b for a, b, x in zip(scale, shift, z, strict=True)]
    return F


def written_out_attention(Z, heads, tokens):
    """Σ_j softmax_j(⟨q_i, k_j⟩/√h) v_j for every head, image and token i, entry by entry."""
    h = Z.shape[0] // (3 * heads)
    F = np.zeros((heads * h, Z.shape[1]))
    for head in range(heads):
        q, k, v = (Z[(part * heads + head) * h :][:h] for part in range(3))
        for first in range(0, Z.shape[1], tokens):
            mates = range(first, first + tokens)
            for i in mates:
                weights = [math.exp(q[:, i] @ k[:, j] / math.sqrt(h)) for j in mates]
                for weight, j in zip(weights, mates, strict=True):
                    F[head * h : (head + 1) * h, i] += weight / sum(weights) * v[:, j]
    return F


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


PARTS = {
    "relu": (draw(5, 7), maps.relu, lambda Z: np.where(Z > 0, Z, 0.0)),
    "gelu": (
        draw(5, 7),
        maps.gelu,
        lambda Z: np.vectorize(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2)(Z),
    ),
    "softmax": (
        draw(5, 7),
        lambda Z: maps.softmax(Z, axis=0),
        lambda Z: np.exp(Z) / np.exp(Z).sum(axis=0),
    ),
    "attention": (
        draw(12, 6),
        lambda Z: maps.attention(Z, 2, 3),
        lambda Z: written_out_attention(Z, 2, 3),
    ),
}


def check_part(part):
    """The value to rounding; the pullback to the h² u^{2/3}-like error of central differences."""
    Z, function, literal = PARTS[part]
    F, pullback = function(Z)
    assert_close(F, literal(Z), 1e-14 * 10, part)
    G = draw(*F.shape, seed=1)
    # h = 1e-6: u/h = 2e-10 for rounding and h² = 1e-12 for the third derivative, of some terms.
    assert_close(pullback(G), differences(literal, Z, G), 1e-8, part)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_its_definition_and_its_pullback_the_slope(part):
    check_part(part)


def test_layer_norm_and_its_three_gradients():
    scale, shift, Z, G = draw(5, seed=1), draw(5, seed=2), draw(5, 4), draw(5, 4, seed=3)
    F, pullback = maps.layer_norm(scale, shift, Z)
    assert_close(F, written_out_norm(scale, shift, Z), 1e-14 * 10)
    of_scale, of_shift, of_Z = pullback(G)
    for got, function, at in [
        (of_scale, lambda a: written_out_norm(a, shift, Z), scale),
        (of_shift, lambda b: written_out_norm(scale, b, Z), shift),
        (of_Z, lambda z: written_out_norm(scale, shift, z), Z),
    ]:
        assert_close(got, differences(function, at, G), 1e-8)


def test_softmax_and_its_loss_do_not_overflow():
    F = np.array([[800.0, -800.0], [0.0, 0.0], [-800.0, 790.0]])
    P, _ = maps.softmax(F, axis=0)
    assert_close(P.sum(axis=0), np.ones(2), 4 * UNIT)
    loss, G = losses.cross_entropy(F, np.eye(3)[:, [2, 2]], 2)
    assert loss == 800.0  # (1600 + 0)/2, but for exp(−790)
    assert np.isfinite(G).all()


def test_the_derivative_of_relu_at_zero_is_zero():
    _, pullback = maps.relu(np.zeros((1, 3)))
    assert (pullback(np.ones((1, 3))) == 0).all()


def test_the_erf_is_that_of_the_c_library(backend):
    x = np.linspace(-6, 6, 101)
    # Both claim an error of a few units in the last place.
    got = backend.to_host(arrays.erf(backend.asarray(x)))
    assert_close(got, np.array([math.erf(v) for v in x]), 4 * UNIT)


# ------------------------------------------------------------------ faults must be seen


def transposed_suffix(monkeypatch):
    def backward(weights, prefixes, gradient):
        carried, gradients = gradient, []
        for layer in range(len(weights) - 1, 0, -1):
            gradients.append(carried @ prefixes[layer - 1].mT)
            square = weights[layer].shape[0] == weights[layer].shape[1]
            carried = (weights[layer] if square else weights[layer].mT) @ carried
        return (*reversed([*gradients, carried]),)

    monkeypatch.setattr(networks, "backward", backward)


def wrong_axis_of_softmax(monkeypatch):
    right = maps.softmax

    def softmax(S, axis):
        return right(S, -2 if axis == -1 else axis)

    monkeypatch.setattr(maps, "softmax", softmax)


def forgotten_pull_of_softmax(monkeypatch):
    right = maps.softmax

    def softmax(S, axis):
        P, _ = right(S, axis)
        return P, lambda G: P * G

    monkeypatch.setattr(maps, "softmax", softmax)


def forgotten_root_of_h(monkeypatch):
    right = maps.attention

    def attention(Z, heads, tokens):
        h = Z.shape[0] // (3 * heads)
        scaled = np.concatenate([Z[: heads * h] * math.sqrt(h), Z[heads * h :]])
        F, pullback = right(scaled, heads, tokens)

        def pulled(G):
            dZ = pullback(G)
            return np.concatenate([dZ[: heads * h] * math.sqrt(h), dZ[heads * h :]])

        return F, pulled

    monkeypatch.setattr(maps, "attention", attention)


def forgotten_mean_in_layer_norm(monkeypatch):
    right = maps.layer_norm

    def layer_norm(scale, shift, Z):
        F, pullback = right(scale, shift, Z)
        deviation = np.sqrt(Z.var(axis=0) + 1e-5)
        return F, lambda G: (*pullback(G)[:2], scale[:, None] * G / deviation)

    monkeypatch.setattr(maps, "layer_norm", layer_norm)


def forgotten_mean_over_samples(monkeypatch):
    right = losses.LOSSES["cross_entropy"]

    def summed(F, Y, N):
        loss, G = right(F, Y, N)
        return loss, N * G

    monkeypatch.setitem(losses.LOSSES, "cross_entropy", summed)


def tanh_for_erf(monkeypatch):
    monkeypatch.setattr(
        arrays,
        "erf",
        lambda z: np.tanh(2 / math.sqrt(math.pi) * (z + 0.08943 * z**3)),
    )


def smooth_step_in_relu(monkeypatch):
    from dlnlab.nets import perceptron

    right = maps.relu
    monkeypatch.setattr(perceptron, "relu", lambda Z: (right(Z)[0], lambda G: G))


BACKWARD = [transposed_suffix, forgotten_pull_of_softmax, forgotten_mean_in_layer_norm]
BACKWARD += [forgotten_mean_over_samples]
"""Faults of a gradient alone: the slopes see them too.  The others are right models, but others."""

FORWARD = [wrong_axis_of_softmax, forgotten_root_of_h, tanh_for_erf]


@pytest.mark.parametrize(
    ("check", "mutate"),
    [
        *((check_taylor, mutate) for mutate in BACKWARD),
        *((check_jax, mutate) for mutate in [*BACKWARD, *FORWARD]),
    ],
    ids=lambda f: f.__name__,
)
def test_a_broken_transformer_is_caught(monkeypatch, check, mutate):
    model = small("vit", "dln")
    params, (X, y) = start(model), data(model)
    check(model, params, X, y, "cross_entropy")
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check(model, params, X, y, "cross_entropy")


@pytest.mark.parametrize(
    "mutate",
    [transposed_suffix, forgotten_mean_over_samples, smooth_step_in_relu],
    ids=lambda m: m.__name__,
)
def test_a_broken_perceptron_is_caught(monkeypatch, mutate):
    model = small("mlp", "dln")
    params, (X, y) = start(model), data(model)
    check_taylor(model, params, X, y, "cross_entropy")
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check_taylor(model, params, X, y, "cross_entropy")


def test_the_chain_rule_is_the_package_s_own(monkeypatch):
    """Every gradient of a layer comes through `networks.backward`, forward through its products."""
    calls = {"prefix_products": 0, "backward": 0}
    for name in calls:
        right = getattr(networks, name)

        def counting(*given, right=right, name=name):
            calls[name] += 1
            return right(*given)

        monkeypatch.setattr(networks, name, counting)
    model = small("mlp", "dln")
    params, (X, y) = start(model), data(model)
    model.loss_and_gradients(params, X, y)
    assert calls == {"prefix_products": 3, "backward": 3}  # of W2, the block, and the last layer


def test_subspaces_of_a_compressed_start_do_not_depend_on_signs():
    """The frame of the leading right vectors is the correlation's own subspace (Eq. 14)."""
    model = nets.mlp(20, 20, 4, "compressed", 6)
    X, y = data(model, 60)
    M = nets.cross_correlation(X, y, 4)
    W1 = model.init(0, correlation=M)["W3"]
    distance = spectra.subspace_distance(W1[:4].T, np.linalg.svd(M)[2][:4].T)
    assert distance < 1e-20
