"""The hand-derived layer gradients, against their definition and against the loss itself.

Two independent checks: `check_against_paths` transcribes the derivative as the literal sum over
all paths through the network and all measurements; `check_taylor` needs no formula at all, only
that the loss minus its linear prediction shrinks quadratically.  The mutations at the end show that
each kind of slip in the engine is caught by at least one of them.
"""

from __future__ import annotations

import numpy as np
import pytest
from instances import KINDS, ON_ANY_DEVICE, assert_close, instance, network

import dlnlab
from dlnlab import networks, problems
from dlnlab.networks import linear

UNIT = np.finfo(float).eps
LETTERS = "abcdefghijkl"
ARCHITECTURES = [
    (3, 3, 3),
    (4, 2, 3),
    (2, 4, 3),
    (3, 3, 3, 3),
    (4, 2, 3, 2),
    (2, 4, 2, 3),
    (2, 2, 2, 2, 2),
    (3, 2, 4, 2, 2),
    (2, 3, 2, 4, 3),
    (2, 2, 2, 2, 2, 2),
    (3, 2, 3, 1, 2, 2),
    (2, 3, 1, 2, 3, 3),
    (2, 2, 2, 2, 2, 2, 2),
    (3, 2, 1, 3, 2, 2, 2),
    (2, 3, 2, 1, 2, 2, 3),
]
BATCHES = [(), (2,), (2, 3)]


def layer_gradients(problem, weights):
    """The gradients as the engine computes them for descent and flow."""
    return networks.layer_gradients(weights, problem.gradient(networks.end_to_end(weights)))


def path_sums(weights, A, y):
    """Residuals and, for every layer, Σ over paths and measurements, term by term.

    With x_0 … x_L the indices a path visits, ∂ℓ/∂W_l[x_l, x_{l−1}] is the sum over all other
    indices and all measurements i of r_i A_i[x_L, x_0] ∏_{k≠l} W_k[x_k, x_{k−1}].
    """
    depth = len(weights)
    layers = [f"...{LETTERS[k]}{LETTERS[k - 1]}" for k in range(1, depth + 1)]
    ends = f"z{LETTERS[depth]}{LETTERS[0]}"
    residual = np.einsum(f"{','.join(layers)},{ends}->...z", *weights, A) - y
    gradients = []
    for layer in range(depth):
        others = [k for k in range(depth) if k != layer]
        terms = ",".join(["...z", *(layers[k] for k in others), ends])
        operands = [residual, *(weights[k] for k in others), A]
        gradients.append(np.einsum(f"{terms}->{layers[layer]}", *operands))
    return residual, gradients


def check_against_paths(case, weights):
    """Compare all layers with the sums over paths, to the rounding of the terms themselves.

    Both sides add the same signed products in different orders, so each errs by at most
    γ_n = n u times the sum of the absolute products (Higham 2002, section 3.1), n being the number
    of operations behind one entry: at most the number of terms of the literal sum.
    """
    _, expected = path_sums(weights, case.A, case.y)
    absolute = tuple(np.abs(W) for W in weights)
    _, size = path_sums(absolute, np.abs(case.A), -np.abs(case.y))
    terms = len(case.y) * int(np.prod([W.shape[-1] for W in weights])) * weights[-1].shape[-2]
    for layer, got in enumerate(layer_gradients(case.problem, weights)):
        assert_close(
            got,
            case.c * expected[layer],
            2 * terms * UNIT * case.c * size[layer],
            f"gradient of weights[{layer}]",
        )


def check_taylor(case, weights, seed=2):
    """Require slope 2 of |ℓ(W + hD) − ℓ(W) − h⟨∇ℓ, D⟩| for a random direction D of all layers.

    The weights and D are of order one.  Above h = 1e-3 cubic terms bend the line; below h = 1e-5
    the remainder h² = 1e-10 comes within six digits of the rounding u·ℓ of the loss.  In between
    both change the fitted slope by less than a few times 1e-3·(third over second derivative); a
    wrong gradient leaves a linear term and slope 1, so 0.1 separates the two with room.
    """
    rng = np.random.default_rng(seed)
    direction = tuple(rng.standard_normal(W.shape) for W in weights)
    direction = tuple(D / np.sqrt(len(weights) * D[..., :1, :1].size * 4) for D in direction)
    gradients = layer_gradients(case.problem, weights)
    slope = sum(float(np.sum(g * D)) for g, D in zip(gradients, direction, strict=True))
    base = total_loss(case.problem, weights)
    steps = np.geomspace(1e-3, 1e-5, 9)
    remainders = []
    for h in steps:
        moved = tuple(W + h * D for W, D in zip(weights, direction, strict=True))
        remainders.append(abs(total_loss(case.problem, moved) - base - h * slope))
    fitted = np.polyfit(np.log(steps), np.log(remainders), 1)[0]
    assert abs(fitted - 2) < 0.1, f"Taylor slope {fitted:.4f} instead of 2: {remainders}"


def total_loss(problem, weights):
    """The sum over a batch, whose gradient is every member's own gradient."""
    return float(np.sum(problem.loss(networks.end_to_end(weights))))


@pytest.mark.parametrize("widths", ARCHITECTURES, ids=lambda w: "-".join(map(str, w)))
@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_sums_over_paths_and_slopes_of_the_loss(kind, normalization, widths):
    case = instance(kind, (widths[-1], widths[0]), normalization)
    for batch in BATCHES:
        weights = network(widths, batch=batch)
        check_against_paths(case, weights)
        check_taylor(case, weights)


def test_gradients_of_a_batch_of_targets():
    rng = np.random.default_rng(0)
    targets, weights = rng.standard_normal((5, 3, 4)), network((4, 2, 3), batch=(5,))
    together = layer_gradients(dlnlab.factorization(targets, "mean"), weights)
    for k in range(5):
        alone = layer_gradients(
            dlnlab.factorization(targets[k], "mean"), tuple(W[k] for W in weights)
        )
        for batched, single in zip(together, alone, strict=True):
            # Three products of inner dimension <= 4 each, on entries of order one.
            assert_close(batched[k], single, 100 * UNIT, f"target {k}")


@pytest.mark.parametrize("kind", ON_ANY_DEVICE)
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_gradients_are_the_same_on_every_device(device, kind, normalization):
    weights = network((4, 3, 2, 3), batch=(2,))
    here = instance(kind, (3, 4), normalization)
    there = instance(kind, (3, 4), normalization, move=device.asarray)
    expected = layer_gradients(here.problem, weights)
    results = layer_gradients(there.problem, device.tree(weights))
    for layer, (got, want) in enumerate(zip(results, expected, strict=True)):
        # Sums of at most 25 · 4³ terms of order one, in whatever order the device likes.
        assert_close(device.to_host(got), want, 2000 * UNIT, f"layer {layer}")


class Counting(np.ndarray):
    """An array that counts the matrix products it takes part in."""

    products = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        Counting.products += ufunc is np.matmul
        plain = [x.view(np.ndarray) if isinstance(x, Counting) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **options).view(Counting)


@pytest.mark.parametrize("depth", range(2, 7))
def test_all_layers_together_cost_three_products_per_layer_after_the_first(depth):
    weights = tuple(W.view(Counting) for W in network((3,) * (depth + 1)))
    Counting.products = 0
    # `layer_gradients` makes plain arrays of its arguments, and then does this with them.
    networks.backward(weights, networks.prefix_products(weights), np.ones((3, 3)).view(Counting))
    assert Counting.products == 3 * (depth - 1)


# Mutations: each breaks one thing in the engine; the checks above must notice.


def flipped_sign(monkeypatch):
    right = problems.Problem.gradient
    monkeypatch.setattr(problems.Problem, "gradient", lambda self, W: -right(self, W))


def missing_transpose(monkeypatch):
    def backward(weights, prefixes, gradient):
        carried, gradients = gradient, []
        for layer in range(len(weights) - 1, 0, -1):
            gradients.append(carried @ prefixes[layer - 1])
            carried = weights[layer].mT @ carried
        return (*reversed([*gradients, carried]),)

    monkeypatch.setattr(linear, "backward", backward)


def transposed_suffix(monkeypatch):
    def backward(weights, prefixes, gradient):
        carried, gradients = gradient, []
        for layer in range(len(weights) - 1, 0, -1):
            gradients.append(carried @ prefixes[layer - 1].mT)
            carried = weights[layer] @ carried
        return (*reversed([*gradients, carried]),)

    monkeypatch.setattr(linear, "backward", backward)


def layer_too_late(monkeypatch):
    def backward(weights, prefixes, gradient):
        carried, gradients = gradient, []
        for layer in range(len(weights) - 1, 0, -1):
            carried = weights[layer].mT @ carried
            gradients.append(carried @ prefixes[layer - 1].mT)
        return (*reversed([*gradients, carried]),)

    monkeypatch.setattr(linear, "backward", backward)


def stale_prefix(monkeypatch):
    right = linear.prefix_products

    def prefix_products(weights):
        products = right(weights)
        return [products[0], *products[:-2], products[-1]]

    monkeypatch.setattr(linear, "prefix_products", prefix_products)


def forgotten_mean(monkeypatch):
    monkeypatch.setattr(problems.Problem, "matrix_scale", 1.0)


def forgotten_half(monkeypatch):
    right = problems.Problem.loss
    monkeypatch.setattr(problems.Problem, "loss", lambda self, W: 2 * right(self, W))


def adjoint_of_another_mask(monkeypatch):
    right = problems.SampledCompletion.adjoint
    monkeypatch.setattr(
        problems.SampledCompletion, "adjoint", lambda self, r: right(self, r)[..., ::-1, :]
    )


CAUGHT_BY_BOTH = [flipped_sign, missing_transpose, transposed_suffix, layer_too_late]
CAUGHT_BY_BOTH += [stale_prefix, forgotten_mean, adjoint_of_another_mask]


@pytest.mark.parametrize("mutate", CAUGHT_BY_BOTH, ids=lambda m: m.__name__)
@pytest.mark.parametrize("check", [check_against_paths, check_taylor])
def test_a_broken_engine_is_caught(monkeypatch, mutate, check):
    weights = network((3, 3, 3, 3))
    check(instance("pattern", (3, 3), "mean"), weights)
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check(instance("pattern", (3, 3), "mean"), weights)


def test_a_loss_that_does_not_fit_its_gradient_is_caught(monkeypatch):
    case, weights = instance("mask", (3, 3)), network((3, 3, 3))
    forgotten_half(monkeypatch)
    with pytest.raises(AssertionError, match="Taylor slope"):
        check_taylor(case, weights)
