"""Classifiers whose penultimate layer is a matrix, a deep linear network, or a compressed one.

Section 2.3 of the paper takes compression beyond linear networks: the penultimate layer of a
classifier becomes a deep linear network, which is then compressed.  `mlp` and `vit` are the
networks of its Table 1, with their passes forward and back derived by hand (`maps`), and
`deep_linear` is nothing but a linear network, as in its Figure 1; `train` trains them.
"""

from dlnlab.nets.deep_linear import deep_linear
from dlnlab.nets.network import Network
from dlnlab.nets.perceptron import mlp
from dlnlab.nets.samples import cross_correlation
from dlnlab.nets.training import train
from dlnlab.nets.transformer import vit

__all__ = ["Network", "cross_correlation", "deep_linear", "mlp", "train", "vit"]
