"""dlnlab: deep linear networks, their compression, and what is true about them.

The paper behind it is Kwon et al. 2024, "Efficient Low-Dimensional Compression of Overparameterized
Models".  A network is a tuple of weight matrices; a problem knows only the end-to-end matrix; a
verdict on a claim is a margin with its premises.
"""

import sys
from pathlib import Path as _Path

from dlnlab import (
    baselines,
    campaigns,
    claims,
    compression,
    data,
    experiments,
    flow,
    methods,
    nets,
    networks,
    problems,
)
from dlnlab import siblings as _siblings
from dlnlab.campaigns import executors
from dlnlab.claims.verdict import Premise, Verdict
from dlnlab.data import movielens
from dlnlab.data.ratings import Ratings
from dlnlab.flow import Comparison, compare, gradient_flow
from dlnlab.lab.conjecture import Conjecture, ConjectureError, conjecture
from dlnlab.networks import compressed_weights, end_to_end, layer_gradients, original_weights
from dlnlab.numerics import spectra
from dlnlab.problems import Problem, completion, factorization, linear_recovery, sensing, targets
from dlnlab.problems.generated import GeneratedEnsemble
from dlnlab.problems.structured import CosineEnsemble, RankOneEnsemble
from dlnlab.problems.targets import FactoredTarget, gaussian_ensemble, random_mask, random_target
from dlnlab.reductions import choice, modes, parsimony, thin
from dlnlab.training import memory
from dlnlab.training.descent import gradient_descent
from dlnlab.training.trajectory import Interrupted, Status, Trajectory
from dlnlab.version import VERSION

__version__ = VERSION

for _name, _module in {
    "executors": executors,
    "formulations": choice,
    "memory": memory,
    "modes": modes,
    "movielens": movielens,
    "parsimony": parsimony,
    "spans": thin,
    "spectra": spectra,
    "targets": targets,
}.items():  # the names users import, ``import dlnlab.modes``, wherever the house keeps the module
    sys.modules[f"{__name__}.{_name}"] = globals()[_name] = _module

_siblings.find(__name__, _Path(__file__).parent)

__all__ = [
    "Comparison",
    "Conjecture",
    "ConjectureError",
    "CosineEnsemble",
    "FactoredTarget",
    "GeneratedEnsemble",
    "Interrupted",
    "Premise",
    "Problem",
    "RankOneEnsemble",
    "Ratings",
    "Status",
    "Trajectory",
    "Verdict",
    "baselines",
    "campaigns",
    "claims",
    "compare",
    "completion",
    "compressed_weights",
    "compression",
    "conjecture",
    "data",
    "end_to_end",
    "executors",
    "experiments",
    "factorization",
    "flow",
    "gaussian_ensemble",
    "gradient_descent",
    "gradient_flow",
    "layer_gradients",
    "linear_recovery",
    "memory",
    "methods",
    "modes",
    "movielens",
    "nets",
    "networks",
    "original_weights",
    "parsimony",
    "problems",
    "random_mask",
    "random_target",
    "sensing",
    "spectra",
    "targets",
]
