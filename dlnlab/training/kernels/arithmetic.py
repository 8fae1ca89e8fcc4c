"""The products and updates that a step in place is made of: of matrices, and of stacks of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg

from dlnlab.training.kernels.protocol import Calls

__all__ = ["Blas", "Ufuncs"]


class Blas:
    """Products and steps of single matrices, by BLAS.

    It takes matrices column by column, which are the transposes of NumPy's.  Arguments are passed
    by position, since by name they take as long as a product of 10 × 10 matrices.

    Parameters
    ----------
    steps : sequence of L floats, or arrays of shape (members, 1, 1)
        η_l c.
    shrinks : sequence of L floats or arrays
        1 − η_l μ.
    dtype : dtype
    """

    def __init__(self, steps: Sequence[float], shrinks: Sequence[float], dtype: Any) -> None:
        names = ("gemm", "axpy", "scal")
        self._gemm, self._axpy, self._scal = scipy.linalg.get_blas_funcs(names, dtype=dtype)
        self._steps, self._shrinks = steps, shrinks

    def product(self, A: np.ndarray, B: np.ndarray, out: np.ndarray, flip: bool = False) -> Calls:
        """Calls for `out` = A B, or Aᵀ B: its transpose is Bᵀ Aᵀ, or Bᵀ A.

        Parameters
        ----------
        A : array
            A.
        B : array
            B.
        out : array
            Where the product is written.
        flip : bool
            Whether the product is Aᵀ B.

        Returns
        -------
        list of callables
        """
        return [functools.partial(self._gemm, 1.0, B.T, A.T, 0.0, out.T, 0, int(flip), 1)]

    def descend(self, layer: int, W: np.ndarray, D: np.ndarray, A: np.ndarray, _: Any) -> Calls:
        """Calls for W ← (1 − ημ) W − η D Aᵀ: its transpose loses η A Dᵀ.

        Parameters
        ----------
        layer : int
            l − 1.
        W : array
            W_l; changed.
        D : array
            D_l.
        A : array
            A.

        Returns
        -------
        list of callables
        """
        rate, shrink = self._steps[layer], self._shrinks[layer]
        return [functools.partial(self._gemm, -rate, A.T, D.T, shrink, W.T, 1, 0, 1)]

    def shift(self, W: np.ndarray, D: np.ndarray) -> Calls:
        """Calls for W_1 ← (1 − ημ) W_1 − η D_1.

        Parameters
        ----------
        W : array
            W_l; changed.
        D : array
            D_l.

        Returns
        -------
        list of callables
        """
        w, g, rate, shrink = W.reshape(-1), D.reshape(-1), self._steps[0], self._shrinks[0]
        decays = [] if shrink == 1 else [functools.partial(self._scal, shrink, w)]
        return [*decays, functools.partial(self._axpy, g, w, w.size, -rate)]


class Ufuncs:
    """Products and steps of stacks of matrices, by NumPy, which lets other threads run.

    Parameters
    ----------
    steps : sequence of L floats, or arrays of shape (members, 1, 1)
        η_l c.
    shrinks : sequence of L floats or arrays, optional
        1 − η_l μ.
    """

    def __init__(self, steps: Sequence[np.ndarray], shrinks: Sequence[np.ndarray] | None) -> None:
        self._steps, self._shrinks = steps, shrinks

    def product(self, A: np.ndarray, B: np.ndarray, out: np.ndarray, flip: bool = False) -> Calls:
        """Calls for `out` = A B, or Aᵀ B.

        Parameters
        ----------
        A : array
            A.
        B : array
            B.
        out : array
            Where the product is written.
        flip : bool
            Whether the product is Aᵀ B.

        Returns
        -------
        list of callables
        """
        return [functools.partial(np.matmul, A.mT if flip else A, B, out)]

    def descend(
        self, layer: int, W: np.ndarray, D: np.ndarray, A: np.ndarray, gradient: np.ndarray
    ) -> Calls:
        """Calls for W ← (1 − ημ) W − η D Aᵀ.

        Parameters
        ----------
        layer : int
            l − 1.
        W : array
            W_l; changed.
        D : array
            D_l.
        A : array
            A.
        gradient : array
            Where D Aᵀ is written.

        Returns
        -------
        list of callables
        """
        return [functools.partial(np.matmul, D, A.mT, gradient), *self._move(layer, W, gradient)]

    def shift(self, W: np.ndarray, D: np.ndarray) -> Calls:
        """Calls for W_1 ← (1 − ημ) W_1 − η D_1.

        Parameters
        ----------
        W : array
            W_l; changed.
        D : array
            D_l.

        Returns
        -------
        list of callables
        """
        return self._move(0, W, D)

    def _move(self, layer: int, W: np.ndarray, gradient: np.ndarray) -> Calls:
        calls: Calls = [functools.partial(np.multiply, gradient, self._steps[layer], gradient)]
        if self._shrinks is not None:
            calls.append(functools.partial(np.multiply, W, self._shrinks[layer], W))
        return [*calls, functools.partial(np.subtract, W, gradient, W)]
