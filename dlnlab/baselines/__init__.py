"""Other methods for the same problems, to compare deep networks with.

Alternating minimization solves a least-squares problem exactly for one factor at a time;
Burer–Monteiro descent is gradient descent on two factors.  Both return a `Trajectory`, with
weights (W_1, W_2) = (B, A) for the estimate W = A B.  `biases` returns such weights at once.
"""

from dlnlab.baselines.alternating import alternating_minimization
from dlnlab.baselines.biases import biases
from dlnlab.baselines.two_factors import burer_monteiro
from dlnlab.networks import spectral_factors

__all__ = ["alternating_minimization", "biases", "burer_monteiro", "spectral_factors"]
