"""
Single panels in a figure of your own
=====================================

Every panel of a comparison draws into axes that it is given.
"""

import matplotlib.pyplot as plt

import dlnlab
from dlnlab import plotting

M = dlnlab.random_target((30, 30), rank=3, rng=1, singular_values=[1.0, 0.7, 0.4])
c = dlnlab.compare(M, r_hat=3, depth=3, eps=0.1, rng=1)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
plotting.singular_values(c, left)
plotting.margin(c, right)
