"""Training steps of the classifiers of `dlnlab.nets` against torch, on the same device.

The peer states the logits in PyTorch's own operations, fused attention among them, differentiates
them automatically, and takes the same step of plain descent.  Before anything is timed the
parameters after a few steps of both must agree to what rounding explains.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.bench import timing
from dlnlab.bench.timing import Sample
from dlnlab.nets.transformer import ViT, positions
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = [
    "CASES",
    "ETA",
    "PRECISIONS",
    "STEPS",
    "ClassifierCase",
    "StepTime",
    "measure",
    "torch_run",
]

PRECISIONS = {
    "float64": (np.float64, 1e-9),
    "float32": (np.float32, 1e-3),
    "tf32": (np.float32, 1e-1),
}
"""Kinds of numbers, and how far parameters may be apart relative to how far they have moved: a
thousand roundings of products of a few thousand terms, for TF32 of factors of eleven bits."""

STEPS, ETA = 3, 0.1
"""Steps that are compared, and their size."""


@dataclass(frozen=True)
class ClassifierCase:
    """A classifier and a number of samples, all of which are in every step.

    Attributes
    ----------
    title : str
    model : Network
    samples : int
    """

    title: str
    model: Any
    samples: int


CASES = {
    "mlp": ClassifierCase("MLP, full batch of 2048", nets.mlp(penultimate="dln"), 2048),
    "vit": ClassifierCase("ViT, batch of 128", nets.vit(penultimate="dln"), 128),
}


@dataclass(frozen=True)
class StepTime:
    """A measured training step; times are in milliseconds.

    Attributes
    ----------
    case, title, precision, device : str
    engine, peer : Sample
    ratio : Sample
        Of the peer's time to the engine's.
    deviation : float
        Of the parameters, relative to how far they have moved.
    """

    case: str
    title: str
    precision: str
    device: str
    engine: Sample
    peer: Sample
    ratio: Sample
    deviation: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data.

        Returns
        -------
        dict
        """
        return asdict(self)


def measure(
    name: str,
    one: ClassifierCase,
    precision: str,
    reference: Array,
    seconds: float = 1.0,
    repeats: int = 5,
) -> StepTime:
    """Check and time the training step of a classifier.

    Parameters
    ----------
    name : str
    one : ClassifierCase
    precision : {"float64", "float32", "tf32"}
        TF32 is the process's own matter in CuPy: it is started with ``CUPY_TF32=1``.
    reference : array
        Where to measure.
    seconds : float
        Of one timed run.
    repeats : int
        Turns.

    Returns
    -------
    StepTime

    Raises
    ------
    ModuleNotFoundError
        If torch is not installed.
    ValueError
        If the two do not agree.
    """
    dtype, allowed = PRECISIONS[precision]
    rng = np.random.default_rng(0)
    X = rng.random((one.samples, *one.model.image)).astype(dtype)
    y = rng.integers(0, one.model.classes, one.samples)
    start = {k: W.astype(dtype) for k, W in one.model.init(rng=0).items()}
    device = "cpu" if arrays.is_host(reference) else "cuda"
    theirs = torch_run(one.model, start, (X, y), device, tf32=precision == "tf32")
    data = tuple(arrays.like(part, reference, keep_dtype=True) for part in (X, y))
    params = {k: arrays.like(W, reference, keep_dtype=True) for k, W in start.items()}

    def ours(steps: int) -> Any:
        options: Any = {"method": "sgd", "schedule": "constant", "eta": ETA, "record": ()}
        run = nets.train(
            one.model, params, data, num_steps=steps, record_every=max(steps, 1), **options
        )
        arrays.synchronize(reference)
        return run.weights

    deviation = _deviation(ours(STEPS), theirs(STEPS), start)
    if not deviation <= allowed:
        raise ValueError(f"{name}: parameters of torch differ by {deviation:.1e}, {precision}")
    counts = [timing.calibrate(run, seconds) for run in (ours, theirs)]
    calls = (lambda: ours(counts[0]), lambda: theirs(counts[1]), lambda: ours(0))
    mine, peers, idle = timing.alternate(calls, repeats).T
    engine = np.maximum(mine - np.median(idle), 0.01 * mine) / counts[0]
    return StepTime(
        case=name,
        title=one.title,
        precision=precision,
        device=arrays.device_name(reference),
        engine=Sample.of(1e3 * engine),
        peer=Sample.of(1e3 * peers / counts[1]),
        ratio=Sample.of(peers / counts[1] / engine),
        deviation=deviation,
    )


def _deviation(found: Mapping[str, Array], expected: Mapping[str, Any], start: Any) -> float:
    """Return the largest distance of a parameter relative to how far it has moved."""
    return max(
        float(
            np.linalg.norm(arrays.to_host(found[name]) - expected[name])
            / np.linalg.norm(expected[name] - before)
        )
        for name, before in start.items()
    )


def torch_run(
    model: Any, start: Mapping[str, np.ndarray], data: Any, device: str, *, tf32: bool = False
) -> Callable[[int], dict[str, np.ndarray]]:
    """Return the peer's run of so many steps from the start, which gives the parameters.

    Parameters
    ----------
    model : MLP or ViT
    start : dict of str to array
    data : (array, array)
        Samples and classes.
    device : str
        Of torch.
    tf32 : bool

    Returns
    -------
    callable

    Raises
    ------
    ModuleNotFoundError
        If torch is not installed.
    """
    try:
        torch: Any = importlib.import_module("torch")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("this needs torch: pip install torch") from None
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    X, y = (torch.as_tensor(part, device=device) for part in data)
    logits = _vit if isinstance(model, ViT) else _mlp

    def run(steps: int) -> dict[str, np.ndarray]:
        params = {k: torch.tensor(W, device=device, requires_grad=True) for k, W in start.items()}
        descent = torch.optim.SGD(params.values(), lr=ETA)
        for _ in range(steps):
            descent.zero_grad()
            torch.nn.functional.cross_entropy(logits(torch, model, params, X), y).backward()
            descent.step()
        return {
            k: W.detach().cpu().numpy() for k, W in params.items()
        }  # which waits for the device

    return run


def _mlp(torch: Any, model: Any, params: Mapping[str, Any], X: Any) -> Any:
    F = torch.nn.functional
    first, second, *inner, last = params.values()
    H = F.relu(F.linear(F.relu(F.linear(X.flatten(1), first)), second))
    for W in inner:
        H = F.linear(H, W)
    return F.linear(F.relu(H), last)


def _vit(torch: Any, model: ViT, params: Mapping[str, Any], X: Any) -> Any:
    (down, across), side, dim = model.grid, model.patch, model.dim
    F = torch.nn.functional

    def norm(where: str, Z: Any) -> Any:
        return F.layer_norm(Z, (dim,), params[f"{where}.scale"], params[f"{where}.shift"])

    def affine(where: str, Z: Any, which: str = "") -> Any:
        return F.linear(Z, params[f"{where}.W{which}"], params[f"{where}.b{which}"])

    cut = X.reshape(len(X), down, side, across, side, -1).permute(0, 1, 3, 2, 4, 5)
    places = torch.as_tensor(positions(model.grid, dim).T, dtype=X.dtype, device=X.device)
    Z = affine("embedding", cut.reshape(len(X), down * across, -1)) + places
    for k in range(1, model.blocks + 1):
        where = f"block{k}.attention"
        parts = F.linear(norm(where, Z), params[f"{where}.qkv"]).chunk(3, -1)
        heads = [P.unflatten(-1, (model.heads, -1)).transpose(1, 2) for P in parts]
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        Z = Z + F.linear(mixed, params[f"{where}.out"])
        where = f"block{k}.mlp"
        H = F.gelu(affine(where, norm(where, Z), "1"))
        inner = model.block_names if k == model.blocks else (f"{where}.W2",)
        for name in inner:
            H = F.linear(H, params[name])
        Z = Z + H + params[f"{where}.b2"]
    return affine("head", norm("head", Z.mean(1)))
