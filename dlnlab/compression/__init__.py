"""Compressing what was trained wide: projections, thresholding, and pruning after group Lasso.

`truncated_svd` and `weighted_svd` replace a matrix by one of rank k at once;
`singular_value_thresholding` lowers the rank in training; `group_lasso`, `prune` and `fine_tune`
train a symmetric model so that columns empty, drop them, and train on.
"""

from dlnlab.compression.curvature import Stationarity, stationarity
from dlnlab.compression.factors import FactorRun, fine_tune, group_lasso
from dlnlab.compression.projections import split, truncated_svd, weighted_svd
from dlnlab.compression.pruning import prune, pruning_threshold
from dlnlab.compression.thresholding import shrink, singular_value_thresholding

__all__ = [
    "FactorRun",
    "Stationarity",
    "fine_tune",
    "group_lasso",
    "prune",
    "pruning_threshold",
    "shrink",
    "singular_value_thresholding",
    "split",
    "stationarity",
    "truncated_svd",
    "weighted_svd",
]
