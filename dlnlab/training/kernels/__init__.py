"""How the steps of gradient descent are taken, with the arrays that are there.

With prefix products A_1 = W_1, A_l = W_l A_{l−1}, and D_L = ∇ℓ(A_L), D_{l−1} = W_lᵀ D_l, the
gradient of layer l is D_l A_{l−1}ᵀ, and that of the first one is D_1.  Going from the last layer to
the first, only D_{l−1} still needs W_l: once it is known W_l may be overwritten,

    W_l ← (1 − η_l μ) W_l − η_l D_l A_{l−1}ᵀ,

which is one call of BLAS's GEMM.  So a step of networks on the host is a fixed list of calls on
fixed arrays (`InPlace`).  Where all layers are diagonal, as from a spectral start in the target's
singular vectors, so is every product, and the calls are those for vectors (`Diagonal`); where they
are diag(B_l, ρ_l), as in the reduction of a wide network, B and ρ are stepped apart (`Bordered`).
Other arrays, and problems that keep the end-to-end matrix in factors, take the same step with a new
array for every product (`Plain`).
"""

from dlnlab.training.kernels.choice import fits_in_place, stepper
from dlnlab.training.kernels.in_place import CACHE, InPlace, scratch_bytes
from dlnlab.training.kernels.plain import Plain
from dlnlab.training.kernels.protocol import Run, Slots, Stepper, repeat
from dlnlab.training.kernels.scalars import Bordered, Diagonal
from dlnlab.training.kernels.stateful import Stateful, zeros

__all__ = [
    "CACHE",
    "Bordered",
    "Diagonal",
    "InPlace",
    "Plain",
    "Run",
    "Slots",
    "Stateful",
    "Stepper",
    "fits_in_place",
    "repeat",
    "scratch_bytes",
    "stepper",
    "zeros",
]
