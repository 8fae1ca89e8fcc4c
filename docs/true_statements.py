"""Statements that are proved, so that no attack may refute them."""

import numpy as np

import dlnlab

WHERE = {"dominance": {"depths": 2}}
"""Where a statement is true, if not everywhere."""


@dlnlab.conjecture("All singular values start at ε^L.", about="start")
def equal(at):
    return at.original.singular_values - at.case.eps**at.case.depth


@dlnlab.conjecture("At the start the compressed network is at least as close.", about="start")
def corollary1(at):
    size = at.original.errors**2 + at.compressed.errors**2
    return (at.original.errors**2 - at.compressed.errors**2) / size


@dlnlab.conjecture("σ_i(t) ≤ σ̃_i(t) for i ≤ r̂, L = 2.")
def dominance(pair):
    few = pair.case.r_hat
    return (pair.compressed.singular_values - pair.original.singular_values)[:, :few]


@dlnlab.conjecture("The loss of the wide network decreases along the flow.")
def loss(pair):
    return -np.diff(pair.original.losses) / pair.original.losses[0]


@dlnlab.conjecture("No singular value of the compressed network exceeds max(σ_1*, ε^L).")
def bounded(pair):
    most = max(pair.targets[0], pair.case.eps**pair.case.depth)
    return 1 - pair.compressed.singular_values / most


@dlnlab.conjecture("‖W − M*‖² ≥ Σ_i (σ_i − σ_i*)² (Lemma 1).")
def lemma1(pair):
    gaps = pair.original.singular_values - pair.case.values
    return (pair.original.errors**2 - np.sum(gaps**2, axis=1)) / np.sum(pair.case.values**2)


@dlnlab.conjecture(
    "The compressed network keeps the target's singular vectors (Theorem 1).", about="descent"
)
def theorem1(pair):
    U, V = pair.case.left.matrix, pair.case.right.matrix
    inside = U.T @ pair.compressed.end_to_end @ V
    rest = inside * (1 - np.eye(*pair.case.shape))
    return -np.linalg.norm(rest, axis=(1, 2)) / np.linalg.norm(inside, axis=(1, 2))


@dlnlab.conjecture("The loss of any recovery problem decreases along the flow.", about="recovery")
def recovery(run):
    return -np.diff(run.losses) / run.losses[0]
