"""Gradient flow: integration, and the comparison of the original with the compressed network."""

from dlnlab.flow.comparison import Comparison, Pair, compare
from dlnlab.flow.integrate import gradient_flow

__all__ = ["Comparison", "Pair", "compare", "gradient_flow"]
