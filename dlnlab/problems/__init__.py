"""Matrix-recovery problems: a loss of the end-to-end matrix, and its gradient.

Every problem is ℓ(W) = c/2 ‖A(W) − y‖² (Eq. 1 of the paper); the modules differ in the measurement
operator A: the identity, some entries, inner products with an ensemble of matrices, any operator.
The functions check their arguments and make the problems; the classes behind them do not.
"""

from dlnlab.problems.ensemble import Sensing as Sensing
from dlnlab.problems.ensemble import sensing
from dlnlab.problems.entries import completion
from dlnlab.problems.identity import Factorization as Factorization
from dlnlab.problems.identity import factorization
from dlnlab.problems.masked import Completion as Completion
from dlnlab.problems.operator import LinearRecovery as LinearRecovery
from dlnlab.problems.operator import linear_recovery
from dlnlab.problems.problem import Problem
from dlnlab.problems.sampled import SampledCompletion as SampledCompletion

__all__ = [
    "Problem",
    "completion",
    "factorization",
    "linear_recovery",
    "sensing",
]
