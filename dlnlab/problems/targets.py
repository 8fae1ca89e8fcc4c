"""Targets and measurement ensembles: what a network is asked to recover, and what it sees of it.

All draws are made with a NumPy generator on the host, so one seed gives the same instance on every
device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.frames import frame_bytes, orthonormal_frame
from dlnlab.numerics.spectra import SVD

__all__ = ["FactoredTarget", "gaussian_ensemble", "random_mask", "random_target"]


@dataclass(frozen=True)
class FactoredTarget:
    """A low-rank target stored as its compact SVD, ``U @ diag(s) @ Vh``, never as a matrix.

    Parameters
    ----------
    U : array, shape (d_out, r)
        Orthonormal columns.
    s : array, shape (r,)
        Singular values, positive, in decreasing order.
    Vh : array, shape (r, d_in)
        Orthonormal rows.

    Raises
    ------
    ValueError
        If the shapes do not fit, the values are not positive and sorted, or the factors are not
        orthonormal to within rounding.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> target = dlnlab.FactoredTarget(np.eye(4, 1), np.array([2.0]), np.eye(1, 3))
    >>> target.shape, target.rank
    ((4, 3), 1)
    """

    U: Array
    s: Array
    Vh: Array

    def __post_init__(self) -> None:
        U, Vh = checks.matrix("U", self.U, ndim=2), checks.matrix("Vh", self.Vh, ndim=2)
        arrays.namespace(U, Vh, names=("U", "Vh"))
        r = U.shape[1]
        s = checks.singular_values("s", self.s, r)
        if Vh.shape[0] != r or r > min(U.shape[0], Vh.shape[1]):
            raise ValueError(
                "`U` and `Vh` must have shapes (d_out, r) and (r, d_in) with r <= min(d_out, d_in),"
                f" got {tuple(U.shape)} and {tuple(Vh.shape)}"
            )
        _check_orthonormal("U", U)
        _check_orthonormal("Vh", Vh.mT if hasattr(Vh, "mT") else Vh.T)
        for name, value in (("U", U), ("s", arrays.like(s, U)), ("Vh", Vh)):
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (d_out, d_in) of the target."""
        return self.U.shape[0], self.Vh.shape[1]

    @property
    def rank(self) -> int:
        """The number of singular values, r."""
        return self.U.shape[1]

    @property
    def svd(self) -> SVD:
        """The singular value decomposition of the target."""
        return SVD(self.U, self.s, self.Vh)

    def to_dense(self) -> Array:
        """Return the matrix, shape (d_out, d_in), if it fits in memory.

        Returns
        -------
        array, shape (d_out, d_in)

        Raises
        ------
        ValueError
            If it does not; the message says how many bytes it needs.
        """
        d_out, d_in = self.shape
        xp = arrays.namespace(self.U)
        size = d_out * d_in * (xp.finfo(self.U.dtype).bits // 8)
        checks.fits_in_memory(f"`to_dense`: the dense {d_out} x {d_in} target", size, self.U)
        return xp.matmul(self.U * self.s, self.Vh)


def _check_orthonormal(name: str, frame: Array) -> None:
    """Raise unless frameᵀ frame = I to within the rounding of its d-term dot products."""
    xp = arrays.namespace(frame)
    d, r = frame.shape
    gram = xp.matmul(frame.mT, frame)
    identity = xp.eye(r, dtype=frame.dtype, device=arrays.device_of(frame))
    defect = float(xp.max(xp.abs(gram - identity)))
    bound = 10 * max(d, 10) * float(xp.finfo(frame.dtype).eps)
    if not defect <= bound:
        raise ValueError(
            f"`{name}` must have orthonormal singular vectors, but they are off by {defect:.1e} "
            f"(rounding explains {bound:.1e}); pass a dense matrix to have its SVD computed"
        )


def random_target(
    shape: tuple[int, int],
    rank: int,
    *,
    rng: np.random.Generator | int,
    singular_values: Any = None,
    factored: bool = False,
    like: Array | None = None,
) -> Array | FactoredTarget:
    """Draw a target U diag(s) Vᵀ with uniformly random singular subspaces.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    rank : int
        r, between 1 and min(shape).
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    singular_values : array_like, shape (r,), optional
        σ_1* ≥ … ≥ σ_r* > 0.  By default the evenly spaced 1, 1 − 1/r, …, 1/r.
    factored : bool
        Return a `FactoredTarget` instead of a dense matrix; needed for very large shapes.
    like : array, optional
        A float32 or float64 array that determines library, device and precision of the target;
        NumPy and float64 by default.

    Returns
    -------
    array, shape (d_out, d_in), or FactoredTarget

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or a dense target would not fit in memory.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> M = dlnlab.random_target((30, 20), 2, rng=0, singular_values=[3.0, 1.0])
    >>> np.linalg.svd(M, compute_uv=False)[:3].round(12) + 0.0
    array([3., 1., 0.])
    """
    d_out, d_in = checks.shape("shape", shape)
    rank = checks.integer("rank", rank, 1, min(d_out, d_in))
    rng = checks.generator("rng", rng, "target")
    if singular_values is None:
        singular_values = np.arange(rank, 0, -1) / rank
    s = checks.singular_values("singular_values", singular_values, rank)
    factored = checks.flag("factored", factored)
    like = None if like is None else checks.like("like", like)
    drawing = max(frame_bytes(d_out, rank), 8 * d_out * rank + frame_bytes(d_in, rank))
    frames = 8 * (d_out + d_in) * rank
    size = frames if factored else 8 * d_out * d_in
    working = max(drawing - size, 0 if factored else frames + 8 * d_out * rank)
    working += checks.slack(size + working)
    checks.fits_in_memory(f"`shape`: a {d_out} x {d_in} target", size, working=working)
    U, V = orthonormal_frame(d_out, rank, rng), orthonormal_frame(d_in, rank, rng)
    if factored:
        reference = U if like is None else like
        return FactoredTarget(*(arrays.like(part, reference) for part in (U, s, V.T)))
    M = (U * s) @ V.T
    return M if like is None else arrays.like(M, like)


def random_mask(
    shape: tuple[int, int],
    fraction: float,
    *,
    rng: np.random.Generator | int,
    exact: bool = False,
    like: Array | None = None,
) -> Array:
    """Draw which entries of a matrix are observed.

    Parameters
    ----------
    shape : (int, int)
    fraction : float
        Share p of observed entries, 0 < p ≤ 1.
    rng : numpy.random.Generator or int
    exact : bool
        False: every entry independently with probability p (the paper).  True: exactly
        ⌊p·d_out·d_in⌋ entries, chosen without replacement (the authors' code).
    like : array, optional
        Array of any type that determines library and device of the mask.

    Returns
    -------
    boolean array, shape (d_out, d_in)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or the draw would not fit in memory.
    """
    d_out, d_in = checks.shape("shape", shape)
    rng = checks.generator("rng", rng, "mask")
    if checks.positive("fraction", fraction) > 1:
        raise ValueError(f"`fraction` must be a finite number > 0 and <= 1, got {fraction}")
    exact = checks.flag("exact", exact)
    if like is not None and not arrays.is_array(like):
        raise TypeError(f"`like` must be an array, got {checks.describe(like)}")
    # Drawing needs 8 bytes for every entry, beside the mask itself, and an index of those chosen.
    count = d_out * d_in
    size, working = 9 * count, int(8 * fraction * count) if exact else 0
    working += checks.slack(size + working)
    checks.fits_in_memory(f"`shape`: a {d_out} x {d_in} mask", size, working=working)
    if exact:
        flat = np.zeros(d_out * d_in, dtype=bool)
        flat[rng.choice(flat.size, size=int(fraction * flat.size), replace=False)] = True
        mask = flat.reshape(d_out, d_in)
    else:
        mask = rng.random((d_out, d_in)) < fraction
    return mask if like is None else arrays.like(mask, like, keep_dtype=True)


def gaussian_ensemble(
    count: int,
    shape: tuple[int, int],
    *,
    rng: np.random.Generator | int,
    scale: float = 1.0,
    like: Array | None = None,
) -> Array:
    """Draw sensing matrices A_1, …, A_m with independent N(0, scale²) entries.

    Parameters
    ----------
    count : int
        m.
    shape : (int, int)
        Shape of each matrix.
    rng : numpy.random.Generator or int
    scale : float
        Standard deviation of an entry: 1 in the paper, 1/m in the authors' code.
    like : array, optional
        A float32 or float64 array that determines library, device and precision of the ensemble.

    Returns
    -------
    array, shape (m, d_out, d_in)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or m·d_out·d_in·8 bytes do not fit in memory.
    """
    count = checks.integer("count", count, 1)
    d_out, d_in = checks.shape("shape", shape)
    rng = checks.generator("rng", rng, "ensemble")
    scale = checks.positive("scale", scale)
    like = None if like is None else checks.like("like", like)
    size = 8 * count * d_out * d_in
    what = f"`count`: {count} sensing matrices {d_out} x {d_in}"
    checks.fits_in_memory(what, size, working=checks.slack(size))
    matrices = rng.standard_normal((count, d_out, d_in))
    matrices *= scale
    return matrices if like is None else arrays.like(matrices, like)
