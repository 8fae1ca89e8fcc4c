"""The parameters of a model: what there is to know of each, how it starts, whether it is one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dlnlab import networks
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["INITS", "Named", "Parameter", "check_parameters", "draw"]

INITS = ("uniform", "orthogonal")

Named = dict[str, Array]


class Parameter(NamedTuple):
    """The shape of one parameter of a classifier, its start, and how often it is used.

    Attributes
    ----------
    shape : tuple of int
        (rows, columns) of a matrix, (rows,) of a vector.
    uses : int
        Columns of activations per sample that a matrix multiplies.
    fan_in : int
        Number of inputs of its layer, or 0 if it starts as a constant.
    constant : float
        That constant.
    """

    shape: tuple[int, ...]
    uses: int = 1
    fan_in: int = 0
    constant: float = 0.0


def draw(parameter: Parameter, init: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a parameter outside the block on the host; see `Network.init`.

    Parameters
    ----------
    parameter : Parameter
    init : {"uniform", "orthogonal"}
    rng : numpy.random.Generator

    Returns
    -------
    array
    """
    if not parameter.fan_in:
        return np.full(parameter.shape, parameter.constant)
    if init == "uniform":
        return rng.uniform(-1.0, 1.0, parameter.shape) / math.sqrt(parameter.fan_in)
    if len(parameter.shape) == 1:
        return np.zeros(parameter.shape)
    rows, columns = parameter.shape
    return networks.orthogonal(rows, columns, rng)


def check_parameters(parameters: dict[str, Parameter], params: Any) -> Named:
    """Return arrays by name if they are those of the model's parameters, in one dtype.

    Parameters
    ----------
    parameters : dict of str to Parameter
        What there must be.
    params : dict of str to array

    Returns
    -------
    dict of str to array

    Raises
    ------
    TypeError, ValueError
        If they are not.
    """
    checks.instance("params", params, dict, "a dict of arrays, as `init` returns it")
    if params.keys() != parameters.keys():
        missing = sorted(parameters.keys() - params.keys())
        foreign = sorted(map(str, params.keys() - parameters.keys()))
        raise ValueError(
            f"`params` must have the names of the model's parameters; missing are {missing}, "
            f"not of the model {foreign}"
        )
    found = {name: _check_parameter(name, params[name], p) for name, p in parameters.items()}
    arrays.namespace(*found.values(), names=("params",))
    kinds = sorted({arrays.dtype_name(value) for value in found.values()})
    if len(kinds) > 1:
        raise TypeError(f"`params` must be arrays of one dtype, got {' and '.join(kinds)}")
    return found


def _check_parameter(name: str, value: Any, parameter: Parameter) -> Array:
    found = checks.array(f"params[{name!r}]", value)
    if tuple(found.shape) != parameter.shape:
        raise ValueError(
            f"`params[{name!r}]` must have shape {parameter.shape}, got {checks.describe(value)}"
        )
    return found
