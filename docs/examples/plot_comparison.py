"""
Two networks side by side
=========================

Singular values, errors and the margin of Theorem 2, of a wide and of a compressed network under
gradient flow.
"""

import dlnlab

M = dlnlab.random_target((60, 60), rank=3, rng=0, singular_values=[3.0, 2.0, 1.0])
c = dlnlab.compare(M, r_hat=3, depth=3, eps=0.05, rng=0)
c.plot()
