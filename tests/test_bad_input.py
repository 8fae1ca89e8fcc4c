"""Bad input raises before any work, with a message that names the argument and the requirement."""

from __future__ import annotations

import re

import array_api_strict
import numpy as np
import pytest
import scipy.sparse

import dlnlab
from dlnlab.numerics import spectra
from dlnlab.reductions import modes, parsimony
from dlnlab.training.trajectory import Trajectory

EYE = np.eye(3)
NAN = np.full((3, 3), np.nan)
INF = np.diag([1.0, np.inf, 1.0])
ALL = np.ones((3, 3), dtype=bool)
NONE = np.zeros((3, 3), dtype=bool)
A, Y = np.ones((2, 3, 3)), np.ones(2)
MATRIX = np.ones((2, 9))
STRICT = array_api_strict.asarray(EYE)
PROBLEM = dlnlab.factorization(EYE)
FULL_RANK = dlnlab.factorization(np.diag([3.0, 2.0, 1.0]))
W = dlnlab.original_weights((3, 3), 2, 0.1, rng=0)
MILLION = (10**6, 10**6)
HUGE = dlnlab.FactoredTarget(np.eye(10**6, 1), [1.0], np.eye(1, 10**6))


def descend(weights=W, problem=PROBLEM, **options):
    return dlnlab.gradient_descent(problem, weights, **({"eta": 0.1, "num_steps": 2} | options))


def flow(weights=W, problem=PROBLEM, **options):
    return dlnlab.gradient_flow(problem, weights, **({"t_end": 1.0} | options))


def start(shape=(3, 3), depth=2, eps=0.1, **options):
    return dlnlab.original_weights(shape, depth, eps, **({"rng": 0} | options))


def target(shape=(3, 3), rank=1, **options):
    return dlnlab.random_target(shape, rank, **({"rng": 0} | options))


def complete(M=EYE, mask=ALL, **options):
    return dlnlab.completion(M, mask, **options)


def recover(operator=MATRIX, measurements=(1.0, 2.0), shape=(3, 3)):
    return dlnlab.linear_recovery(operator, measurements, shape)


def compare(M=FULL_RANK.target, r_hat=1, **options):
    return dlnlab.flow.compare(M, r_hat, **options)


def mlp(penultimate="dense", width=3, **options):
    return dlnlab.nets.mlp(3, width, penultimate=penultimate, **options)


def vit(**options):
    sizes = {"image": (8, 8, 3), "dim": 8, "blocks": 1, "heads": 2, "mlp_dim": 8}
    return dlnlab.nets.vit(**(sizes | options))


def squeezed(correlation):
    return mlp("compressed", r_hat=2).init(0, correlation=correlation)


START = mlp().init(0)


def gradients(params=START, X=EYE, y=(0, 1, 2), **options):
    return mlp().loss_and_gradients(params, X, y, **options)


T, V = TypeError, ValueError
# (exception, start of the message as an exact string, its requirement, call)
CASES = [
    # problems
    (V, "`computation`", "one of ['auto', 'dense', 'sampled']", lambda: complete(computation="x")),
    (T, "`computation`", "one of ['auto', 'dense', 'sampled']", lambda: complete(computation=1)),
    (
        V,
        "`computation`",
        "without batch axes, got 'sampled'",
        lambda: complete(np.stack([EYE, EYE]), computation="sampled"),
    ),
    (
        V,
        "`weights`",
        "must have no batch axes with computation='sampled'",
        lambda: descend(start(batch=(2,)), complete(computation="sampled")),
    ),
    (V, "`M`", "must be finite, got 9 NaN", lambda: dlnlab.factorization(NAN)),
    (V, "`M`", "must be finite, got 1 NaN or infinite", lambda: dlnlab.factorization(INF)),
    (T, "`M`", "must be real", lambda: dlnlab.factorization(1j * EYE)),
    (V, "`M`", "must not be empty", lambda: dlnlab.factorization(np.ones((0, 3)))),
    (V, "`M`", "at least 2 axes", lambda: dlnlab.factorization(np.ones(3))),
    (T, "`M`", "must be an array of numbers", lambda: dlnlab.factorization("abc")),
    (T, "`M`", "must be an array of numbers", lambda: dlnlab.factorization(None)),
    (T, "`M`", "must be numeric", lambda: dlnlab.factorization(np.array([["a", "b"]]))),
    (V, "`M`", "must be a rectangular array", lambda: dlnlab.factorization([[1.0], [1.0, 2.0]])),
    (V, "`normalization`", "one of ['sum', 'mean']", lambda: dlnlab.factorization(EYE, "median")),
    (T, "`normalization`", "one of ['sum', 'mean']", lambda: dlnlab.factorization(EYE, None)),
    (T, "`mask`", "must be a boolean array or a sparse", lambda: dlnlab.completion(EYE)),
    (T, "`mask`", "must be boolean", lambda: dlnlab.completion(EYE, np.ones((3, 3)))),
    (T, "`mask`", "must be boolean", lambda: dlnlab.completion(EYE, "abc")),
    (V, "`mask`", "at least one observed entry", lambda: dlnlab.completion(EYE, NONE)),
    (
        V,
        "`mask`",
        "at least one observed entry",
        lambda: dlnlab.completion(EYE, np.stack([ALL, NONE])),
    ),
    (V, "`mask`", "must have the shape of `M`", lambda: dlnlab.completion(EYE, ALL[:2])),
    (V, "`mask`", "must have the shape of `M`", lambda: dlnlab.completion(EYE, ALL[0])),
    (
        V,
        "`mask`",
        "batch axes that broadcast",
        lambda: dlnlab.completion(np.ones((2, 3, 3)), np.stack([ALL] * 3)),
    ),
    (
        V,
        "`mask`",
        "must have the shape of `M`",
        lambda: dlnlab.completion(EYE, scipy.sparse.csr_array(ALL[:2])),
    ),
    (
        V,
        "`mask`",
        "at least one observed entry",
        lambda: dlnlab.completion(EYE, scipy.sparse.csr_array((3, 3))),
    ),
    (
        V,
        "`mask`",
        "must be omitted when `M` is sparse",
        lambda: dlnlab.completion(scipy.sparse.csr_array(EYE), ALL),
    ),
    (V, "`M`", "must be finite", lambda: dlnlab.completion(scipy.sparse.csr_array(NAN))),
    (V, "`M`", "at least one observed", lambda: dlnlab.completion(scipy.sparse.csr_array((2, 2)))),
    (
        V,
        "`target`",
        "must have shape (3, 3)",
        lambda: dlnlab.completion(EYE, ALL, target=np.eye(2)),
    ),
    (V, "`target`", "one of ['M']", lambda: dlnlab.completion(EYE, ALL, target="known")),
    (
        T,
        "`target`, `M`",
        "must all belong to one array library",
        lambda: dlnlab.completion(EYE, ALL, target=STRICT),
    ),
    (
        T,
        "`M`, `mask`",
        "one array library",
        lambda: dlnlab.completion(EYE, array_api_strict.asarray(ALL)),
    ),
    (V, "`matrices`", "exactly 3 axes", lambda: dlnlab.sensing(EYE, Y)),
    (V, "`matrices`", "must be finite", lambda: dlnlab.sensing(np.nan * A, Y)),
    (V, "`measurements`", "must have shape (2,)", lambda: dlnlab.sensing(A, np.ones(3))),
    (V, "`measurements`", "must have shape (2,)", lambda: dlnlab.sensing(A, 1.0)),
    (V, "`measurements`", "must be finite", lambda: dlnlab.sensing(A, [1.0, np.nan])),
    (T, "`measurements`", "must be real", lambda: dlnlab.sensing(A, [1.0, 2j])),
    (T, "`measurements`", "array of numbers", lambda: dlnlab.sensing(A, ["a", "b"])),
    (T, "`measurements`", "array of numbers", lambda: dlnlab.sensing(A, None)),
    (
        T,
        "`matrices`, `measurements`",
        "one array library",
        lambda: dlnlab.sensing(A, array_api_strict.asarray(Y)),
    ),
    (V, "`target`", "must have shape (3, 3)", lambda: dlnlab.sensing(A, Y, target=np.eye(2))),
    (T, "`operator`", "must be a scipy.sparse.linalg.Lin", lambda: recover(operator=None)),
    (V, "`operator`", "must have shape (m, d_out*d_in)", lambda: recover(shape=(2, 3))),
    (T, "`operator`", "must be real", lambda: recover(operator=1j * np.ones((2, 9)))),
    (V, "`measurements`", "must have shape (2,)", lambda: recover(measurements=[1.0])),
    (
        T,
        "`measurements`",
        "must be a NumPy array",
        lambda: recover(measurements=array_api_strict.ones(2)),
    ),
    (T, "`shape`", "must be a pair", lambda: recover(shape=9)),
    (V, "`W`", "must have shape (..., 3, 3)", lambda: PROBLEM.loss(np.eye(2))),
    (V, "`W`", "must have shape (..., 3, 3)", lambda: PROBLEM.gradient(np.ones((3, 2)))),
    (T, "`W`", "must be an array", lambda: PROBLEM.loss([[1.0]])),
    # targets and ensembles
    (V, "`rank`", "between 1 and 3, got 4", lambda: target(rank=4)),
    (V, "`rank`", "between 1 and 3, got 0", lambda: target(rank=0)),
    (T, "`rank`", "must be an integer", lambda: target(rank=1.5)),
    (T, "`rank`", "must be an integer", lambda: target(rank=True)),
    (T, "`shape`", "must be a pair", lambda: target(shape=3)),
    (V, "`shape[1]`", ">= 1, got 0", lambda: target(shape=(3, 0))),
    (T, "`shape`", "must be a pair", lambda: target(shape="ab")),
    (T, "`rng`", "numpy.random.Generator or an integer seed", lambda: target(rng=None)),
    (T, "`rng`", "numpy.random.Generator", lambda: target(rng=np.random.RandomState(0))),
    (T, "`rng`", "numpy.random.Generator", lambda: target(rng=True)),
    (V, "`rng`", "must be an integer >= 0, got -1", lambda: target(rng=-1)),
    (V, "`singular_values`", "got shape (2,)", lambda: target(singular_values=[2.0, 1.0])),
    (V, "`singular_values`", "decreasing", lambda: target(rank=2, singular_values=[1.0, 2.0])),
    (V, "`singular_values`", "> 0 in", lambda: target(singular_values=[0.0])),
    (V, "`singular_values`", "finite numbers", lambda: target(singular_values=[np.nan])),
    (T, "`singular_values`", "finite numbers", lambda: target(singular_values=["a"])),
    (V, "`shape`", "8,000,000,000,000 bytes", lambda: target(shape=MILLION)),
    (T, "`like`", "must be an array", lambda: target(like="numpy")),
    (V, "`fraction`", "> 0", lambda: dlnlab.random_mask((3, 3), 0.0, rng=0)),
    (V, "`fraction`", "<= 1, got 1.5", lambda: dlnlab.random_mask((3, 3), 1.5, rng=0)),
    (V, "`fraction`", "> 0", lambda: dlnlab.random_mask((3, 3), np.nan, rng=0)),
    (V, "`shape`", "9,000,000,000,000 bytes", lambda: dlnlab.random_mask(MILLION, 0.5, rng=0)),
    (V, "`count`", ">= 1, got 0", lambda: dlnlab.gaussian_ensemble(0, (3, 3), rng=0)),
    (V, "`scale`", "> 0", lambda: dlnlab.gaussian_ensemble(1, (3, 3), rng=0, scale=-1.0)),
    (V, "`count`", "bytes", lambda: dlnlab.gaussian_ensemble(9, MILLION, rng=0)),
    (V, "`to_dense`", "8,000,000,000,000 bytes", HUGE.to_dense),
    (V, "`U` and `Vh`", "must have shapes", lambda: dlnlab.FactoredTarget(EYE, [3, 2, 1], EYE[:2])),
    (V, "`U`", "orthonormal", lambda: dlnlab.FactoredTarget(2 * EYE, [3, 2, 1], EYE)),
    (V, "`Vh`", "orthonormal", lambda: dlnlab.FactoredTarget(EYE, [3, 2, 1], 2 * EYE)),
    (V, "`s`", "in decreasing order", lambda: dlnlab.FactoredTarget(EYE, [1, 2, 3], EYE)),
    (T, "`U`, `Vh`", "one array library", lambda: dlnlab.FactoredTarget(EYE, [3, 2, 1], STRICT)),
    # networks
    (V, "`depth`", ">= 2, got 1", lambda: start(depth=1)),
    (T, "`depth`", "must be an integer", lambda: start(depth=2.0)),
    (V, "`eps`", "> 0", lambda: start(eps=0.0)),
    (V, "`eps`", "> 0", lambda: start(eps=np.inf)),
    (T, "`eps`", "> 0", lambda: start(eps="small")),
    (T, "`eps`", "> 0", lambda: start(eps=True)),
    (V, "`init`", "['orthogonal', 'gaussian', 'uniform']", lambda: start(init="xavier")),
    (V, "`width`", "depth - 1), got 2", lambda: start(width=[3, 3])),
    (V, "`width`", ">= 1, got 0", lambda: start(width=0)),
    (T, "`width`", "must be an integer", lambda: start(width="a")),
    (T, "`batch`", "tuple of integers", lambda: start(batch=3)),
    (V, "`batch`", ">= 1, got 0", lambda: start(batch=(0,))),
    (V, "`width`", "16,000,000,000,000 bytes", lambda: start(shape=MILLION)),
    (V, "`r_hat`", "between 1 and 3", lambda: dlnlab.compressed_weights(PROBLEM, 0, 2, 0.1)),
    (V, "`r_hat`", "between 1 and 3", lambda: dlnlab.compressed_weights(PROBLEM, 4, 2, 0.1)),
    (T, "`r_hat`", "must be an integer", lambda: dlnlab.compressed_weights(PROBLEM, "1", 2, 0.1)),
    (T, "`problem`", "must be a dlnlab problem", lambda: dlnlab.compressed_weights(EYE, 1, 2, 0.1)),
    (T, "`weights`", "must be a tuple of arrays", lambda: dlnlab.end_to_end(EYE)),
    (T, "`weights`", "must be a tuple of arrays", lambda: dlnlab.end_to_end(iter(W))),
    (V, "`weights`", "depth >= 2", lambda: dlnlab.end_to_end((EYE,))),
    (T, "`weights[1]`", "must be a matrix", lambda: dlnlab.end_to_end((EYE, [[1.0]]))),
    (T, "`weights[0]`", "must be a matrix", lambda: dlnlab.end_to_end((np.ones(3), EYE))),
    (V, "`weights[1]`", "must have 3 columns", lambda: dlnlab.end_to_end((EYE, np.ones((3, 2))))),
    (V, "`weights[1]`", "batch axes", lambda: dlnlab.end_to_end((EYE, np.ones((2, 3, 3))))),
    (T, "`weights`", "one array library", lambda: dlnlab.end_to_end((EYE, STRICT))),
    (V, "`gradient`", "must have the shape of", lambda: dlnlab.layer_gradients(W, np.eye(2))),
    (T, "`gradient`", "must be an array", lambda: dlnlab.layer_gradients(W, [[1.0]])),
    (T, "`weights`, `gradient`", "one array", lambda: dlnlab.layer_gradients(W, STRICT)),
    # descent
    (V, "`eta`", "> 0", lambda: descend(eta=0.0)),
    (V, "`eta`", "> 0", lambda: descend(eta=np.array([0.1, -0.1]))),
    (V, "`eta`", "> 0", lambda: descend(eta=[0.1, -0.2])),
    (
        T,
        "`M`",
        "plain array, got a masked one",
        lambda: dlnlab.factorization(np.ma.masked_equal(EYE, 0)),
    ),
    (
        T,
        "`operator`",
        "must have an adjoint",
        lambda: recover(scipy.sparse.linalg.LinearOperator((2, 9), matvec=lambda v: v[:2])),
    ),
    (
        T,
        "`mask`",
        "SciPy sparse pattern, which needs a NumPy M",
        lambda: dlnlab.completion(STRICT, scipy.sparse.coo_array(EYE)),
    ),
    (T, "`eta`", "> 0", lambda: descend(eta=None)),
    (T, "`eta`", "> 0", lambda: descend(eta=np.array(["a"]))),
    (V, "`alpha`", "> 0", lambda: descend(alpha=-1.0)),
    (
        V,
        "`eta`, `alpha`, `weight_decay`, `weights` and `problem`",
        "must have batch axes that broadcast",
        lambda: descend(eta=np.ones(2), alpha=np.ones(3)),
    ),
    (V, "`weight_decay`", ">= 0", lambda: descend(weight_decay=-0.1)),
    (V, "`weight_decay`", ">= 0", lambda: descend(weight_decay=np.inf)),
    (V, "`weight_decay`", ">= 0", lambda: descend(weight_decay=[0.0, -0.1])),
    (V, "`weight_decay`", ">= 0", lambda: descend(weight_decay=np.array([0.0, np.nan]))),
    (T, "`weight_decay`", ">= 0", lambda: descend(weight_decay="a little")),
    (T, "`weight_decay`", ">= 0", lambda: descend(weight_decay=np.array(["a"]))),
    (V, "`weight_decay`", ">= 0", lambda: modes.descent([1.0], 0.1, 2, 0.1, 3, weight_decay=-1)),
    (V, "`num_steps`", ">= 0", lambda: descend(num_steps=-1)),
    (T, "`num_steps`", "must be an integer", lambda: descend(num_steps=2.5)),
    (V, "`record_every`", ">= 1", lambda: descend(record_every=0)),
    (T, "`record_every`", "must be an integer", lambda: descend(record_every="all")),
    (V, "`record_every`", ">= 0", lambda: descend(record_every=[-1])),
    (V, "`record`", "must be one of", lambda: descend(record=("speed",))),
    (T, "`record`", "must be a sequence of names", lambda: descend(record=3)),
    (V, "`tol`", ">= 0", lambda: descend(tol=-1.0)),
    (T, "`progress`", "must be a bool or a callable", lambda: descend(progress="bar")),
    (T, "`checkpoint`", "must be a path", lambda: descend(checkpoint=3)),
    (V, "`checkpoint`", "existing directory", lambda: descend(checkpoint="/no/such/place/a.npz")),
    (V, "`checkpoint`", "is not a file", lambda: descend(checkpoint="/")),
    (V, "`checkpoint_every`", ">= 0", lambda: descend(checkpoint="a.npz", checkpoint_every=-1.0)),
    (V, "`weights`", "the problem's shape", lambda: descend((np.eye(2), np.eye(2)))),
    (V, "`weights[1]`", "must be finite", lambda: descend((EYE, NAN))),
    (T, "`weights[0]`", "must be real", lambda: descend((1j * EYE, EYE))),
    (V, "`weights[0]`", "not be empty", lambda: descend((np.ones((0, 3)), np.ones((3, 0))))),
    (T, "`problem`, `weights`", "one array library", lambda: descend((STRICT, STRICT))),
    (T, "`problem`", "must be a dlnlab problem", lambda: descend(problem=EYE)),
    # spectra, modes, reduction, trajectories
    (V, "`W`", "target's shape", lambda: spectra.alignments(np.eye(2), PROBLEM.target_svd)),
    (V, "`eps`", "> 0", lambda: modes.flow([1.0], [1.0], -0.1, 3)),
    (V, "`depth`", ">= 2", lambda: modes.flow([1.0], [1.0], 0.1, 1)),
    (V, "`times`", ">= 0", lambda: modes.flow([-1.0], [1.0], 0.1, 3)),
    (V, "`targets`", ">= 0", lambda: modes.flow([1.0], [-1.0], 0.1, 3)),
    (T, "`targets`", "must be real", lambda: modes.flow([1.0], [1j], 0.1, 3)),
    (V, "`scale`", "> 0", lambda: modes.flow([1.0], [1.0], 0.1, 3, scale=0.0)),
    (V, "`values`", "must lie between", lambda: modes.flow_times([2.0], 1.0, 0.1, 3)),
    (V, "`target`", "> 0", lambda: modes.flow_times([0.5], 0.0, 0.1, 3)),
    (V, "`within`", "> 0", lambda: modes.fitting_times([1.0], 0.1, 3, within=0.0)),
    (V, "`eta`", "> 0", lambda: modes.descent([1.0], 0.1, 3, 0.0, 5)),
    (V, "`num_steps`", ">= 0", lambda: modes.descent([1.0], 0.1, 3, 0.1, -5)),
    (V, "`width`", "min(shape)", lambda: parsimony.reduce_random(PROBLEM, 2, 0.1, rng=0, width=2)),
    (T, "`problem`", "factorization", lambda: parsimony.reduce_random(EYE, 2, 0.1, rng=0)),
    (V, "`depth`", ">= 2", lambda: parsimony.reduce_random(PROBLEM, 1, 0.1, rng=0)),
    (V, "`weights[0]`", "must be finite", lambda: parsimony.reduce(PROBLEM, (NAN, EYE))),
    (
        T,
        "`problem`, `weights`",
        "one array library",
        lambda: parsimony.reduce(PROBLEM, (STRICT, STRICT)),
    ),
    (
        FileNotFoundError,
        "`path`",
        "Trajectory.save",
        lambda: Trajectory.load("/no/such/file.npz"),
    ),
    # classifiers
    (V, "`penultimate`", "one of ['dense', 'dln', 'compressed']", lambda: mlp(penultimate="cnn")),
    (V, "`r_hat`", "must be omitted with penultimate='dln'", lambda: mlp("dln", r_hat=2)),
    (V, "`r_hat`", "between 1 and 3, got 4", lambda: mlp("compressed", r_hat=4)),
    (V, "`classes`", ">= 2, got 1", lambda: mlp(classes=1)),
    (T, "`image`", "three integers (height, width, channels)", lambda: vit(image=(8, 8))),
    (V, "`image[2]`", ">= 1, got 0", lambda: vit(image=(8, 8, 0))),
    (V, "`patch`", "must divide the width of `image`, 9", lambda: vit(image=(8, 9, 3))),
    (V, "`dim`", "a multiple of `heads`, 3, got 8", lambda: vit(heads=3)),
    (V, "`dim`", "a multiple of 4, 4, got 10", lambda: vit(dim=10)),
    (V, "`batch`", ">= 1, got 0", lambda: mlp().macs(batch=0)),
    (V, "`init`", "['uniform', 'orthogonal']", lambda: mlp().init(0, init="zeros")),
    (V, "`init`", "bytes are available", lambda: mlp(width=10**8).init(0)),
    (V, "`correlation`", "unless penultimate='compressed'", lambda: mlp().init(correlation=EYE)),
    (V, "`correlation`", "each of the block's 3 inputs", lambda: squeezed(np.ones((3, 2)))),
    (V, "`correlation`", "not be the zero matrix", lambda: squeezed(0 * EYE)),
    (V, "`correlation`", "must be finite", lambda: squeezed(NAN)),
    (T, "`params`", "a dict of arrays", lambda: gradients(params=[EYE])),
    (V, "`params`", "missing are ['W1', 'W2', 'W3', 'W4']", lambda: gradients(params={})),
    (V, "`params['W2']`", "shape (3, 3)", lambda: gradients(params=START | {"W2": np.eye(2)})),
    (V, "`params['W3']`", "must be finite", lambda: gradients(params=START | {"W3": NAN})),
    (T, "`params`", "one array library", lambda: gradients(params=START | {"W3": STRICT})),
    (T, "`params`", "of one dtype", lambda: gradients(params=START | {"W3": EYE.astype("f4")})),
    (V, "`X`", "shape (n, 3) with n >= 1", lambda: gradients(X=np.eye(2))),
    (V, "`X`", "shape (n, 3) with n >= 1", lambda: gradients(X=np.ones((0, 3)))),
    (V, "`X`", "must be finite", lambda: gradients(X=NAN)),
    (T, "`X`", "dtype of the parameters, float64", lambda: gradients(X=EYE.astype("f4"))),
    (T, "`X`, `params`", "one array library", lambda: gradients(X=STRICT)),
    (T, "`y`", "3 integers >= 0 and < 10", lambda: gradients(y=np.ones(3))),
    (V, "`y`", "got entries from 0 to 10", lambda: gradients(y=[0, 1, 10])),
    (V, "`y`", "got entries from -1 to 1", lambda: gradients(y=[0, 1, -1])),
    (V, "`y`", "one for each sample in `X`", lambda: gradients(y=[0, 1])),
    (V, "`loss`", "['cross_entropy', 'squared']", lambda: gradients(loss="hinge")),
    (T, "`path`", "must be a path", lambda: dlnlab.data.mnist(7)),
    # gradient flow
    (V, "`t_end`", "> 0", lambda: flow(t_end=0.0)),
    (T, "`t_end`", "> 0", lambda: flow(t_end="long")),
    (V, "`rtol`", "> 0", lambda: flow(rtol=-1e-6)),
    (V, "`weight_decay`", ">= 0", lambda: flow(weight_decay=-0.1)),
    (T, "`weight_decay`", ">= 0", lambda: flow(weight_decay=np.zeros(2))),
    (V, "`batch`", "at most 48 bits", lambda: start(batch=(2**40, 2**40))),
    (V, "`num_steps`", "at most 48 bits", lambda: descend(num_steps=2**63 - 1)),
    (V, "`atol`", "> 0", lambda: flow(atol=0.0)),
    (V, "`times`", "increasing", lambda: flow(times=[0.5, 0.2])),
    (V, "`times`", "increasing", lambda: flow(times=[0.5, 2.0])),
    (T, "`times`", "increasing", lambda: flow(times=["a"])),
    (V, "`method`", "must be one of", lambda: flow(method="Euler")),
    (V, "`max_steps`", ">= 1", lambda: flow(max_steps=0)),
    (V, "`tol`", ">= 0", lambda: flow(tol=-1.0)),
    (V, "`stationarity`", ">= 0", lambda: flow(stationarity=-1.0)),
    (T, "`stop`", "callable", lambda: flow(stop=3)),
    (T, "`observe`", "callable observe", lambda: flow(observe="loss")),
    (V, "`record`", "must be one of", lambda: flow(record=("speed",))),
    (T, "`progress`", "must be a bool or a callable", lambda: flow(progress="bar")),
    (V, "`weights[1]`", "must be finite", lambda: flow((EYE, NAN))),
    (
        T,
        "`problem` and `weights`",
        "NumPy",
        lambda: flow((STRICT, STRICT), dlnlab.factorization(STRICT)),
    ),
    # the comparison
    (V, "`M`", "zero matrix", lambda: compare(np.zeros((3, 3)))),
    (V, "`M`", "exactly 2 axes", lambda: compare(np.ones((2, 3, 3)))),
    (V, "`M`", "must be finite", lambda: compare(NAN)),
    (V, "`r_hat`", "between 1 and 3", lambda: compare(r_hat=4)),
    (V, "`r_hat`", "between 1 and 3", lambda: compare(r_hat=0)),
    (V, "`depth`", ">= 2", lambda: compare(depth=1)),
    (V, "`eps`", "> 0", lambda: compare(eps=0.0)),
    (V, "`within`", "> 0", lambda: compare(within=0.0)),
    (V, "`within`", "< 1", lambda: compare(within=1.5)),
    (V, "`rtol`", "> 0", lambda: compare(rtol=0.0)),
    (V, "`t_end`", "> 0", lambda: compare(t_end=-1.0)),
    (V, "`num_records`", ">= ", lambda: compare(num_records=1)),
    (T, "`rng`", "numpy.random.Generator", lambda: compare(rng="seed")),
    (V, "`weights`", "depth = 3", lambda: compare(weights=W)),
    (V, "`normalization`", "must be one of", lambda: compare(normalization="max")),
]


def raised(call):
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("kind", "argument", "requirement", "call"),
    [
        pytest.param(*case, id=f"{k}-{re.sub('[^a-zA-Z_]+', ' ', case[1]).strip()}")
        for k, case in enumerate(CASES)
    ],
)
def test_bad_input_is_named(kind, argument, requirement, call):
    error = raised(call)
    assert isinstance(error, kind), repr(error)
    assert str(error).startswith(argument), str(error)
    assert requirement in str(error), str(error)


def test_every_message_names_an_argument_in_backticks():
    assert len(CASES) >= 60
    for _, _, _, call in CASES:
        assert re.search(r"`[A-Za-z_]\w*(\[(\d+|'\w+')\])?`", str(raised(call)))


def test_what_is_shown_of_a_bad_value_is_short():
    error = raised(lambda: dlnlab.factorization(EYE, "x" * 10_000))
    assert len(str(error)) < 200
    error = raised(lambda: start(eps=["x"] * 10_000))
    assert len(str(error)) < 200
    assert str(error).endswith("...")


def test_arrays_of_no_library_are_refused():
    with pytest.raises(TypeError, match="`arrays` must all belong to one array library"):
        dlnlab.numerics.arrays.namespace(EYE, STRICT)


def test_nothing_is_written_before_the_arguments_are_checked(tmp_path):
    for options in ({"eta": -1.0}, {"checkpoint_every": -1.0}, {"record": "speed"}):
        with pytest.raises(ValueError, match="must be"):
            descend(checkpoint=tmp_path / "run.npz", **options)
    assert list(tmp_path.iterdir()) == []


def test_r_hat_below_the_rank_is_no_error():
    weights = dlnlab.compressed_weights(FULL_RANK, 1, 2, 0.1)
    assert weights[0].shape == (1, 3)
