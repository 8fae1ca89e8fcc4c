"""dlnlab: deep linear networks, their compression, and what is true about them.

The paper behind it is Kwon et al. 2024, "Efficient Low-Dimensional Compression of Overparameterized
Models".  A network is a tuple of weight matrices; a problem knows only the end-to-end matrix; a
verdict on a claim is a margin with its premises.
"""

from pathlib import Path as _Path

from dlnlab import (
    baselines,
    campaigns,
    claims,
    data,
    experiments,
    flow,
    memory,
    modes,
    movielens,
    nets,
    networks,
    parsimony,
    problems,
    spectra,
    targets,
)
from dlnlab import siblings as _siblings
from dlnlab.claims.verdict import Premise, Verdict
from dlnlab.descent import gradient_descent
from dlnlab.ensembles import GeneratedEnsemble
from dlnlab.flow import Comparison, compare, gradient_flow
from dlnlab.networks import compressed_weights, end_to_end, layer_gradients, original_weights
from dlnlab.problems import Problem, completion, factorization, linear_recovery, sensing
from dlnlab.ratings import Ratings
from dlnlab.targets import FactoredTarget, gaussian_ensemble, random_mask, random_target
from dlnlab.trajectory import Interrupted, Status, Trajectory

__version__ = "0.1.0"

_siblings.find(__name__, _Path(__file__).parent)

__all__ = [
    "Comparison",
    "FactoredTarget",
    "GeneratedEnsemble",
    "Interrupted",
    "Premise",
    "Problem",
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
    "data",
    "end_to_end",
    "experiments",
    "factorization",
    "flow",
    "gaussian_ensemble",
    "gradient_descent",
    "gradient_flow",
    "layer_gradients",
    "linear_recovery",
    "memory",
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
