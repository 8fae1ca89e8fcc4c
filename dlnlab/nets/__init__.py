"""Classifiers whose penultimate layer is a matrix, a deep linear network, or a compressed one.

Section 2.3 of the paper takes compression beyond linear networks: the penultimate layer of a
classifier becomes a deep linear network, which is then compressed.  `mlp` and `vit` are the
networks of its Table 1, with their passes forward and back derived by hand (`maps`).
"""

from dlnlab.nets.mlp import MLP, mlp
from dlnlab.nets.network import Network, cross_correlation
from dlnlab.nets.vit import ViT, vit

__all__ = ["MLP", "Network", "ViT", "cross_correlation", "mlp", "vit"]
