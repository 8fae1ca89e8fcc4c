"""Matrix-recovery problems: a loss of the end-to-end matrix, and its gradient.

Every problem is ℓ(W) = c/2 ‖A(W) − y‖² (Eq. 1 of the paper); the modules differ in the measurement
operator A: the identity, some entries, inner products with an ensemble of matrices, any operator.
"""

from dlnlab.problems.ensemble import Sensing, sensing
from dlnlab.problems.entries import completion
from dlnlab.problems.identity import Factorization, factorization
from dlnlab.problems.masked import Completion
from dlnlab.problems.operator import LinearRecovery, linear_recovery
from dlnlab.problems.problem import Problem
from dlnlab.problems.sampled import SampledCompletion

__all__ = [
    "Completion",
    "Factorization",
    "LinearRecovery",
    "Problem",
    "SampledCompletion",
    "Sensing",
    "completion",
    "factorization",
    "linear_recovery",
    "sensing",
]
