"""Deep linear networks: the hand-derived gradient of their layers, and where training starts.

`linear` is the chain rule, `starts` the initializations.
"""

from dlnlab.networks.linear import Weights as Weights
from dlnlab.networks.linear import backward as backward
from dlnlab.networks.linear import check_network as check_network
from dlnlab.networks.linear import check_problem as check_problem
from dlnlab.networks.linear import check_product as check_product
from dlnlab.networks.linear import check_shapes as check_shapes
from dlnlab.networks.linear import check_weights as check_weights
from dlnlab.networks.linear import end_to_end, imbalance, layer_gradients
from dlnlab.networks.linear import forward as forward
from dlnlab.networks.linear import gradients as gradients
from dlnlab.networks.linear import imbalances as imbalances
from dlnlab.networks.linear import prefix_products as prefix_products
from dlnlab.networks.linear import step_flops as step_flops
from dlnlab.networks.starts import FACTOR_STARTS as FACTOR_STARTS
from dlnlab.networks.starts import batch_axes as batch_axes
from dlnlab.networks.starts import compressed_weights, lambda_balanced_weights, original_weights
from dlnlab.networks.starts import orthogonal as orthogonal
from dlnlab.networks.starts import spectral_factors as spectral_factors
from dlnlab.networks.starts import two_factors as two_factors

__all__ = [
    "compressed_weights",
    "end_to_end",
    "imbalance",
    "lambda_balanced_weights",
    "layer_gradients",
    "original_weights",
]
