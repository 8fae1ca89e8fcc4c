"""
Assumption 1 along a run
========================

How far singular values and singular vectors are from those of the compressed network: the constants
``c_val`` and ``c_vec`` that the assumption asks for, over time.
"""

import dlnlab

M = dlnlab.random_target((40, 40), rank=4, rng=1)
c = dlnlab.compare(M, r_hat=4, depth=3, eps=0.1, rng=1)
c.plot_assumption1()
