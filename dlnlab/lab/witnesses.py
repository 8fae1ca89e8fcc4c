"""The registered witness of a refuted claim as an instance that can be run and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm
from typing import Any, NamedTuple

import numpy as np

from dlnlab.claims import Claim, Witness
from dlnlab.lab.cases import EPS, Case, Frame
from dlnlab.problems import factorization
from dlnlab.reductions import modes
from dlnlab.training.descent import gradient_descent

__all__ = [
    "DescentPair",
    "case",
    "descent",
    "of",
    "share",
    "told",
]


def of(about: Claim) -> Witness:
    """Return the witness of a refuted claim on the two networks.

    Parameters
    ----------
    about : Claim

    Returns
    -------
    Witness

    Raises
    ------
    ValueError
        If the claim is not refuted, or speaks of something else.
    """
    witness = about.standing().witness
    if not isinstance(witness, Witness):
        raise ValueError(f"`about` must be a refuted claim on both networks, got {about.name}")
    return witness


def case(witness: Witness) -> Case:
    """Return the instance in its readable form.

    A rotation with rational cosine c and sine s is the product of two reflections, by (1, 0) and by
    (1 + c, s).

    Parameters
    ----------
    witness : Witness

    Returns
    -------
    Case
    """
    first, second = 1 + witness.cosine, witness.sine
    whole = lcm(first.denominator, second.denominator)
    reflectors = ((int(first * whole), int(second * whole)), (1, 0))
    turn = Frame(2, reflectors if witness.sine else ())
    frames = (*[Frame(2)] * (witness.depth - 1), turn)
    values = (float(witness.targets[0]), float(witness.targets[1]))
    return Case(
        Frame(2), values, Frame(2), witness.depth, float(witness.eps), witness.r_hat, frames
    )


class DescentPair(NamedTuple):
    """Both networks of a witness under gradient descent.

    Attributes
    ----------
    original : array, shape (records, 2, 2)
        W_{L:1} after every step, until twice the witness's.
    compressed : array, shape (records, 2)
        σ̃_i, a direction without a target included.
    error : float
        Bound on the rounding of either.
    """

    original: np.ndarray
    compressed: np.ndarray
    error: float


def descent(witness: Mapping[str, Any]) -> DescentPair:
    """Run gradient descent on an instance told by `told`, as the library does it.

    Parameters
    ----------
    witness : mapping
        As `told` returns it.

    Returns
    -------
    DescentPair
    """
    case, eta = Case.from_witness(witness), float(witness["eta"])
    steps = 2 * int(witness["time"])
    run = gradient_descent(
        factorization(case.target),
        case.weights(),
        eta=eta,
        num_steps=steps,
        record=("end_to_end",),
    )
    values = modes.descent(case.values, case.eps, case.depth, eta, steps)
    # each step rounds by units, and what it rounds grows at most as the networks do, by 1/ε^L
    error = 16 * EPS * steps * case.depth / case.eps**case.depth
    return DescentPair(np.asarray(run.end_to_end), values, error)


def told(witness: Witness) -> dict[str, Any]:
    """Return a witness of gradient descent as plain numbers: its case, step size and steps.

    Parameters
    ----------
    witness : Witness

    Returns
    -------
    dict
    """
    assert witness.eta is not None
    extra = {"eta": float(witness.eta), "time": int(witness.time), "part": "registered"}
    return case(witness).witness() | extra


def share(witness: Witness) -> float:
    """Return η in units of the stable step 2/(L σ_1*^{2−2/L}).

    Parameters
    ----------
    witness : Witness

    Returns
    -------
    float
    """
    assert witness.eta is not None
    limit = 2 / (witness.depth * float(witness.targets[0]) ** (2 - 2 / witness.depth))
    return float(witness.eta) / limit
