"""Five conjectures, as a user writes them; `dlnlab attack` answers them."""

import numpy as np

import dlnlab


@dlnlab.conjecture("No singular value of the wide network exceeds the compressed one's, i ≤ r̂.")
def dominance(pair):
    r_hat = pair.case.r_hat
    return (pair.compressed.singular_values - pair.original.singular_values)[:, :r_hat]


def full_width(pair):
    """r̂ = d"""
    return 0.0 if pair.case.r_hat == min(pair.case.shape) else -1.0


@dlnlab.conjecture("For r̂ = d the compressed network is never farther off.", premises=[full_width])
def eq13(pair):
    return pair.original.errors**2 - pair.compressed.errors**2


@dlnlab.conjecture("The wide network's nuclear norm never exceeds the compressed one's.")
def nuclear(pair):
    return pair.compressed.singular_values.sum(-1) - pair.original.singular_values.sum(-1)


@dlnlab.conjecture(
    "The loss of the wide network under descent decreases at every step for η below the stability "
    "limit.",
    about="descent",
)
def falls(pair):
    return -np.diff(pair.original.losses)


@dlnlab.conjecture("Σ_{i≤k} σ_i of every layer stays below the compressed network's, for every k.")
def layers(pair):
    def sums(run):
        size = min(pair.case.shape)
        values = [np.linalg.svdvals(W)[:, :size] for W in run.layers]
        padded = [np.pad(v, ((0, 0), (0, size - v.shape[1]))) for v in values]
        return np.cumsum(np.stack(padded, axis=1), axis=-1)

    return sums(pair.compressed) - sums(pair.original)
