"""Gradient flow: integration, and the comparison of the original with the compressed network."""

from dlnlab.flow.comparison import Comparison, Pair, compare
from dlnlab.flow.integrate import gradient_flow
from dlnlab.flow.original import Coverage
from dlnlab.flow.question import Plan

__all__ = ["Comparison", "Coverage", "Pair", "Plan", "compare", "gradient_flow"]
