"""Recovery problems with any measurement operator, described by what a person can read.

A mask is a table of booleans, an ensemble a few matrices of small integers, or the seed of Gaussian
ones; the target is in the form of `cases`.  A `Recovery` builds the library's problem from them,
and keeps beside it what the problem is by definition: matrices A_i, measurements y_i = ⟨A_i, M*⟩
and the factor c of ℓ(W) = c/2 Σ_i (⟨A_i, W⟩ − y_i)².
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from dlnlab import problems
from dlnlab.lab.cases import Frame
from dlnlab.problems import targets

__all__ = [
    "COMPUTATIONS",
    "KINDS",
    "MASKED",
    "Ensemble",
    "Mask",
    "Recovery",
    "Table",
    "random_recovery",
]

KINDS = ("identity", "mask", "pattern", "sampled", "sensing", "operator")
"""Factorization; completion from a boolean mask, from a sparse pattern with dense matrices, and
from observed entries only; sensing, and the same measurements as a linear operator."""

COMPUTATIONS = {"pattern": "dense", "sampled": "sampled"}
MASKED = ("mask", *COMPUTATIONS)

Table = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Mask:
    """The set of observed entries.

    Attributes
    ----------
    observed : tuple of rows of bool
        At least one is True.
    """

    observed: Table

    def matrices(self, shape: tuple[int, int]) -> np.ndarray:
        """The matrices e_i e_jᵀ of the observed entries.

        Parameters
        ----------
        shape : (int, int)
            (d_out, d_in).

        Returns
        -------
        array, shape (m, d_out, d_in)
        """
        rows, columns = np.nonzero(np.asarray(self.observed))
        A = np.zeros((rows.size, *shape))
        A[np.arange(rows.size), rows, columns] = 1.0
        return A

    def readable(self) -> list[str]:
        """One string per row, 1 for an observed entry.

        Returns
        -------
        list of str
        """
        return ["".join("01"[int(x)] for x in row) for row in self.observed]

    @classmethod
    def from_readable(cls, readable: Any) -> Mask:
        """Return the mask that `readable` describes.

        Parameters
        ----------
        readable : object
            As `readable` returns it.

        Returns
        -------
        Mask
        """
        return cls(tuple(tuple(letter == "1" for letter in row) for row in readable))


@dataclass(frozen=True)
class Ensemble:
    """Sensing matrices: small integers, or Gaussian ones named by their seed.

    Attributes
    ----------
    entries : tuple of tables of int
        The matrices A_i; empty if they are Gaussian.
    count, seed : int
        Number and seed of Gaussian matrices.
    """

    entries: tuple[Table, ...] = ()
    count: int = 0
    seed: int = 0

    def matrices(self, shape: tuple[int, int]) -> np.ndarray:
        """The matrices A_i, shape (m, d_out, d_in).

        Parameters
        ----------
        shape : (int, int)
            (d_out, d_in).

        Returns
        -------
        array, shape (m, d_out, d_in)
        """
        if self.entries:
            return np.asarray(self.entries, dtype=float)
        return targets.gaussian_ensemble(self.count, shape, rng=self.seed)

    def readable(self) -> Any:
        """The integers, or the seed and number of the Gaussian matrices.

        Returns
        -------
        object
        """
        if self.entries:
            return [[list(row) for row in A] for A in self.entries]
        return {"gaussian": self.count, "seed": self.seed}

    @classmethod
    def from_readable(cls, readable: Any) -> Ensemble:
        """Return the ensemble that `readable` describes.

        Parameters
        ----------
        readable : object
            As `readable` returns it.

        Returns
        -------
        Ensemble
        """
        if isinstance(readable, Mapping):
            return cls((), readable["gaussian"], readable["seed"])
        return cls(tuple(tuple(tuple(row) for row in A) for A in readable))


@dataclass(frozen=True)
class Recovery:
    """A recovery problem that can be built again from a few numbers.

    Attributes
    ----------
    left, spectrum, right
        The target, as in `Case`.
    kind : str
        One of `KINDS`.
    operator : Mask, Ensemble or None
        What belongs to the kind; None for "identity".
    normalization : str
        "sum" or "mean".
    """

    left: Frame
    spectrum: tuple[float, ...]
    right: Frame
    kind: str = "identity"
    operator: Mask | Ensemble | None = None
    normalization: str = "sum"

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (d_out, d_in) of the target."""
        return self.left.size, self.right.size

    @property
    def target(self) -> np.ndarray:
        """The target M* = U diag(s) Vᵀ."""
        count = len(self.spectrum)
        U, V = self.left.matrix[:, :count], self.right.matrix[:, :count]
        return (U * np.asarray(self.spectrum)) @ V.T

    def measurements(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The definition of the loss: A_i of shape (m, d_out, d_in), y_i, and c.

        Returns
        -------
        (array, array, float)
        """
        every = Mask(((True,) * self.shape[1],) * self.shape[0])
        A = (self.operator or every).matrices(self.shape)
        y = np.einsum("mpq,pq->m", A, self.target)
        return A, y, 1.0 if self.normalization == "sum" else 1.0 / len(y)

    def absolute_sum(self, size: np.ndarray) -> np.ndarray:
        """Bound Σ_i ‖A_i‖ (‖A_i‖ ‖W‖ + |y_i|) c for matrices of given Frobenius norm ‖W‖.

        Parameters
        ----------
        size : array
            ‖W‖.

        Returns
        -------
        array
        """
        A, y, c = self.measurements()
        norms = np.linalg.norm(A, axis=(-2, -1))
        return c * (np.sum(norms**2) * size + np.sum(norms * np.abs(y)))

    def absolute_loss(self, size: np.ndarray) -> np.ndarray:
        """Bound c/2 Σ_i (‖A_i‖ ‖W‖ + |y_i|)² for matrices of given Frobenius norm ‖W‖.

        Parameters
        ----------
        size : array
            ‖W‖.

        Returns
        -------
        array
        """
        A, y, c = self.measurements()
        norms = np.linalg.norm(A, axis=(-2, -1))
        return 0.5 * c * np.sum((norms * size[..., None] + np.abs(y)) ** 2, axis=-1)

    def problem(self) -> problems.Problem:
        """Return the loss as a problem of the package.

        Returns
        -------
        Problem
        """
        M, norm = self.target, self.normalization
        if isinstance(self.operator, Mask):
            mask: Any = np.asarray(self.operator.observed)
            if self.kind == "mask":
                return problems.completion(M, mask, norm)
            pattern, how = scipy.sparse.csr_array(mask), COMPUTATIONS[self.kind]
            return problems.completion(M, pattern, norm, computation=how)
        if self.operator is None:
            return problems.factorization(M, norm)
        A, y, _ = self.measurements()
        if self.kind == "sensing":
            return problems.sensing(A, y, norm, target=M)
        return problems.linear_recovery(A.reshape(len(y), -1), y, self.shape, norm, target=M)

    def witness(self) -> dict[str, Any]:
        """Everything that is needed to build the problem again, as plain lists and numbers.

        Returns
        -------
        dict
        """
        return {
            "shape": list(self.shape),
            "spectrum": list(self.spectrum),
            "left": self.left.readable(),
            "right": self.right.readable(),
            "kind": self.kind,
            "operator": None if self.operator is None else self.operator.readable(),
            "normalization": self.normalization,
        }

    @classmethod
    def from_witness(cls, witness: Mapping[str, Any]) -> Recovery:
        """Build the problem again from what `witness` returned, whatever else the mapping holds.

        Parameters
        ----------
        witness : mapping
            As `witness` returns it.

        Returns
        -------
        Recovery

        Raises
        ------
        KeyError
            If the mapping describes no recovery problem.
        """
        (d_out, d_in), kind = witness["shape"], witness["kind"]
        told, form = witness["operator"], Mask if kind in MASKED else Ensemble
        return cls(
            Frame.from_readable(d_out, witness["left"]),
            tuple(float(value) for value in witness["spectrum"]),
            Frame.from_readable(d_in, witness["right"]),
            kind,
            None if told is None else form.from_readable(told),
            witness["normalization"],
        )


def random_recovery(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> Recovery:
    """Draw a problem of one kind, with a full-rank target and about half of what determines it.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : str
        One of `KINDS`.
    shape : (int, int)
        (d_out, d_in).

    Returns
    -------
    Recovery
    """
    left, right = (Frame(n, (), int(rng.integers(0, 2**31))) for n in shape)
    spectrum = tuple(sorted(rng.uniform(0.2, 1.0, min(shape)).round(3).tolist(), reverse=True))
    operator: Mask | Ensemble | None = None
    if kind in MASKED:
        observed = rng.random(shape) < 0.5
        observed[0, 0] = True
        operator = Mask(tuple(tuple(bool(x) for x in row) for row in observed))
    elif kind != "identity":
        count = int(rng.integers(1, shape[0] * shape[1] + 1))
        operator = Ensemble((), count, int(rng.integers(0, 2**31)))
    normalization = str(rng.choice(("sum", "mean")))
    return Recovery(left, spectrum, right, kind, operator, normalization)
