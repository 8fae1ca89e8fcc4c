"""
Depth sharpens the stages
=========================

One mode of the compressed network in closed form, from the same end-to-end value. Time is in units
of the time at which half of the target is reached, so that only the shape differs.
"""

import matplotlib.pyplot as plt
import numpy as np

import dlnlab

START = 1e-3

figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for depth in (2, 3, 4, 6):
    eps = START ** (1 / depth)
    half = float(dlnlab.modes.flow_times([0.5], 1.0, eps, depth)[0])
    t = np.linspace(0, 2 * half, 300)
    ax.plot(t / half, dlnlab.modes.flow(t, [1.0], eps, depth), label=f"L = {depth}")
ax.set(xlabel="$t / t_{1/2}$", ylabel=r"$\widetilde\sigma / \sigma^*$")
ax.legend(frameon=False)
