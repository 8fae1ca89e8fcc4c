"""
Matrix completion by gradient descent
=====================================

A compressed network that sees a third of the entries: its training loss, its distance to the whole
matrix, and its singular values, which rise one after the other.
"""

import numpy as np

import dlnlab

M = dlnlab.random_target((80, 80), rank=3, rng=0, singular_values=[3.0, 2.0, 1.0])
mask = np.random.default_rng(0).random(M.shape) < 1 / 3
problem = dlnlab.completion(M, mask)
start = dlnlab.compressed_weights(problem, r_hat=3, depth=3, eps=0.1)
eta = 0.5 * problem.stable_step(start)
run = dlnlab.gradient_descent(problem, start, eta=eta, num_steps=3000, record_every=20)
run.plot()
