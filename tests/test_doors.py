"""Every public callable answers any value: with a result, or an error that names the argument.

Public is what stands in the `__all__` of the modules below.  Each callable found there has an entry
in `DOORS`: a valid call, and for each argument which of the nasty values it may take.  Every other
value must be refused with TypeError or ValueError, and the message must name the argument.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import importlib
import inspect
import pkgutil
import signal
import time
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import nasty
import numpy as np
import pytest
import scipy.sparse
from matplotlib.figure import Figure
from nasty import (
    CALL,
    COUNT,
    FLAG,
    LIKE,
    LOOSE,
    MATRIX,
    NETWORK,
    NUMBER,
    PATH,
    POSITIVE,
    SEED,
    TEXT,
    UNKNOWN,
    VALUES,
)

import dlnlab
from dlnlab import experiments, plotting
from dlnlab.campaigns import executors
from dlnlab.numerics import checks, spectra
from dlnlab.reductions import choice, thin
from dlnlab.training import memory

ROOTS = (
    "dlnlab",
    "dlnlab.executors",
    "dlnlab.formulations",
    "dlnlab.plotting",
    "dlnlab.spans",
)
"""Public, with the modules that they list."""

HOUSE = {
    *("files", "numerics", "progress", "results", "siblings", "terminal", "version"),  # below
    *("reductions", "training"),  # their public names are dlnlab's
    # what the command line is made of
    *("atlas", "bench", "cli", "commands", "explorer", "lab", "report"),
}
"""Rooms whose `__all__` says what other rooms may use, on arguments that have been checked."""

TIME_LIMIT = 30.0
"""Seconds for one call: ten times what any takes on a busy machine, pools of processes included."""


def public_modules():
    """Return public modules by the names under which users know them."""
    found, waiting = {}, [(name, importlib.import_module(name)) for name in ROOTS]
    while waiting:
        name, module = waiting.pop(0)
        if module not in found.values():
            found[name] = module
            inner = ((f"{name}.{item}", getattr(module, item)) for item in module.__all__)
            waiting += [part for part in inner if isinstance(part[1], types.ModuleType)]
    return found


def is_a_door(value: Any) -> bool:
    """Tell whether calling it does something with arguments that a caller chooses.

    Enumerations, exceptions and named tuples do nothing with theirs: they hold what they are given,
    and a function that is given one checks it.
    """
    if isinstance(value, type):
        return not issubclass(value, enum.Enum | BaseException | tuple)
    return callable(value)


def doors():
    """Return all public callables by name, methods of public classes as "Class.method"."""
    found = {}
    for name, module in public_modules().items():
        for item in module.__all__:
            value = getattr(module, item)
            if isinstance(value, types.ModuleType) or not is_a_door(value):
                continue
            short = name.removeprefix("dlnlab").strip(".")
            known = getattr(dlnlab, item, None) is value and item in dlnlab.__all__
            found[item if known else f"{short}.{item}"] = value
            if isinstance(value, type):
                found |= {f"{item}.{k}": f for k, f in methods(value)}
    return found


def methods(kind: type):
    for name, value in vars(kind).items():
        function = value.__func__ if isinstance(value, classmethod) else value
        parameters = inspect.isfunction(function) and list(inspect.signature(function).parameters)
        if parameters and len(parameters) > 1 and not name.startswith("_"):
            yield name, value


class Door(NamedTuple):
    """A callable, and for each argument a valid value and the names of those it may take."""

    call: Callable[..., Any]
    arguments: dict[str, tuple[Any, set[str]]]
    consume: Callable[[Any], Any]
    tried: bool

    def open(self, **other: Any) -> Any:
        """Call it, with some arguments replaced."""
        valid = {name: value for name, (value, _) in self.arguments.items()}
        return self.consume(self.call(**(valid | other)))


def door(
    call: Callable[..., Any],
    consume: Callable[[Any], Any] = lambda result: result,
    *,
    tried: bool = True,
    **arguments: tuple[Any, set[str]],
) -> Door:
    """Return a door; if it is not `tried`, values that it may take are not given to it."""
    return Door(call, arguments, consume, tried)


def entered(context: Any) -> None:
    with context:
        pass


def result(record: Any) -> Door:
    """Return the door of a class whose objects the package makes: types are all it checks."""
    values = {f.name: (getattr(record, f.name), set(VALUES)) for f in dataclasses.fields(record)}
    return Door(type(record), values, lambda made: made, True)


def measured(configuration):
    return {"values": {"gain": 2.0}, "curves": {}}


EYE = nasty.EYE
M = np.diag([3.0, 2.0, 0.0])
MASK = np.eye(3) + np.eye(3, k=1) > 0
PROBLEM = dlnlab.factorization(M)
COMPLETION = dlnlab.completion(M, MASK)
PROBLEMS = {
    "factorization": PROBLEM,
    "completion": COMPLETION,
    "sampled": dlnlab.completion(M, MASK, computation="sampled"),
    "sensing": dlnlab.sensing(np.ones((2, 3, 3)), np.ones(2), target=M),
    "linear": dlnlab.linear_recovery(np.ones((2, 9)), np.ones(2), (3, 3), target=M),
}
WIDE = dlnlab.original_weights((3, 3), 2, 0.1, rng=0)
LARGE = dlnlab.factorization(dlnlab.random_target((9, 9), 1, rng=0))
REDUCTION = dlnlab.parsimony.reduce(LARGE, dlnlab.original_weights((9, 9), 2, 0.1, rng=0))
THIN = thin.reduce_thin(LARGE, dlnlab.compressed_weights(LARGE, 2, 2, 0.1))
RUN = dlnlab.gradient_descent(PROBLEM, WIDE, eta=0.1, num_steps=2)
FACTOR_RUN = dlnlab.compression.fine_tune(PROBLEM, np.eye(3), eta=0.1, num_steps=2)
RATINGS = dlnlab.Ratings([0, 0, 1, 2], [0, 2, 1, 1], [5.0, 3.0, 4.0, 1.0], (3, 3))
ENSEMBLE = dlnlab.GeneratedEnsemble(3, (3, 3), 0)
COMPARISON = dlnlab.compare(M, 1, eps=0.3)
CONJECTURE = dlnlab.conjecture("One is positive.", about="start")(lambda at: 1.0)
FILE = dlnlab.movielens.MOVIELENS_100K
AX = Figure().subplots()
TIMES, FITTED = np.array([0.0, 1.0, 2.0]), np.array([[0.1], [0.9], [1.0]])
YARDSTICK = experiments.Yardstick("gain", "words", low=1.0, source="here")
PANEL = experiments.Panel("steps", "error", "x", "y")
EXPERIMENT = experiments.Experiment(
    "name", "title", "claim", {"paper": {"a": 1}}, measured, (YARDSTICK,), (PANEL,)
)
NETWORK_TO_RUN = experiments.Network(WIDE, 0.1)

ALL = set(VALUES)
NOTHING: set[str] = set()
OPTIONAL = {"None"}
SHAPE = {"[1, 2]"}
WHOLE = COUNT | {"10**9"}
SOME = COUNT - {"0"}
LISTED = MATRIX | {"list of matrices"}
TARGET = LISTED | {"factored", "sparse matrix"}
SPECTRUM = {"vector", "descending", "[1, 2]", "[2.0, 1.0]", "range"}
NUMBERS = POSITIVE | SPECTRUM | {"scalar array", "matrix", "integer matrix"}
NONNEGATIVE = POSITIVE | {"0", "0.0"}
NAMES = {"[]", "()"}
PROGRESS = FLAG | CALL

DESCENT: dict[str, tuple[Any, set[str]]] = {
    "eta": (0.1, POSITIVE | SPECTRUM | {"scalar array", "stack"}),
    "alpha": (1.0, POSITIVE | SPECTRUM | {"scalar array", "stack"}),
    "weight_decay": (0.0, NUMBERS | NONNEGATIVE | {"stack", "5e-324"} | LISTED),
    "num_steps": (2, WHOLE),
    "record_every": (1, WHOLE | NAMES | SPECTRUM | {"empty array"}),
    "record": (("loss",), NAMES),
    "tol": (0.0, NONNEGATIVE | {"5e-324"}),
    "formulation": ("auto", NOTHING),
    "method": ("descent", NOTHING),
    "minibatch": (None, OPTIONAL | WHOLE),
    "rng": (0, SEED),
    "progress": (False, PROGRESS),
    "checkpoint": (None, OPTIONAL | PATH),
    "checkpoint_every": (10.0, NONNEGATIVE | {"5e-324"}),
}
UNTIED = {"alpha", "weight_decay", "formulation", "method", "minibatch", "rng"}
TIED = {name: DESCENT[name] for name in DESCENT.keys() - UNTIED}
"""Of descent on one factor, whose layers take the same plain step."""
MEMORY = {"0", "0.0", "1e-300", "5e-324", "Fraction"}
"""Numbers >= 0 and < 1."""
MODE: dict[str, tuple[Any, set[str]]] = {
    "eps": (0.1, POSITIVE),
    "depth": (3, {"2", "np.int64"}),
    "scale": (1.0, POSITIVE),
}
CAMPAIGN: dict[str, tuple[Any, set[str]]] = {
    "function": (measured, CALL),
    "configurations": ([{"a": 1}], NAMES | {"empty array", "empty matrix", "set"}),
    "path": (None, OPTIONAL | PATH),
    "executor": ("serial", OPTIONAL),
    "progress": (False, PROGRESS),
}
SIZE = SOME | {"10**9"}
BLOCK = {"penultimate": ("compressed", NOTHING), "r_hat": (1, OPTIONAL | SOME)}
SAMPLES = MATRIX - {"stack", "strict matrix"}
CLASSIFIER = dlnlab.nets.mlp(3, 3, 3, "compressed", 2)
PARAMETERS = CLASSIFIER.init(0)
PIXELS = np.ones((3, 2, 2), np.uint8)
IMAGES = dlnlab.data.Images(PIXELS, np.arange(3), 1)
DRAWN = {"c": (COMPARISON, NOTHING), "ax": (AX, NOTHING)}
LABELS = {"xlabel": ("x", TEXT), "ylabel": ("y", TEXT)}
AT = (None, OPTIONAL | NUMBER | {"5e-324"})

DOORS: dict[str, Door] = {
    # targets and ensembles
    "random_target": door(
        dlnlab.random_target,
        shape=((3, 3), SHAPE),
        rank=(1, SOME),
        rng=(0, SEED),
        singular_values=(None, OPTIONAL),
        factored=(False, FLAG),
        like=(None, OPTIONAL | LIKE),
    ),
    "random_mask": door(
        dlnlab.random_mask,
        shape=((3, 3), SHAPE),
        fraction=(0.5, POSITIVE),
        rng=(0, SEED),
        exact=(False, FLAG),
        like=(None, OPTIONAL | {name for name, value in VALUES.items() if hasattr(value, "dtype")}),
    ),
    "gaussian_ensemble": door(
        dlnlab.gaussian_ensemble,
        count=(2, SOME),
        shape=((3, 3), SHAPE),
        rng=(0, SEED),
        scale=(1.0, POSITIVE),
        like=(None, OPTIONAL | LIKE),
    ),
    "FactoredTarget": door(
        dlnlab.FactoredTarget,
        U=(EYE, MATRIX),
        s=([3.0, 2.0, 1.0], SPECTRUM),
        Vh=(EYE, MATRIX),
    ),
    "GeneratedEnsemble": door(
        dlnlab.GeneratedEnsemble,
        count=(3, WHOLE),
        matrix_shape=((3, 3), SHAPE),
        seed=(0, SEED - {"Generator"}),
        scale=(1.0, POSITIVE),
    ),
    "GeneratedEnsemble.blocks": door(
        ENSEMBLE.blocks, list, first=(0, COUNT), last=(None, OPTIONAL | COUNT)
    ),
    "GeneratedEnsemble.measure": door(ENSEMBLE.measure, W=(EYE, LISTED)),
    "CosineEnsemble": door(
        dlnlab.CosineEnsemble,
        count=(3, WHOLE),
        matrix_shape=((3, 3), SHAPE),
        seed=(0, SEED - {"Generator"}),
        scale=(1.0, POSITIVE),
    ),
    "RankOneEnsemble": door(dlnlab.RankOneEnsemble, left=(EYE, MATRIX), right=(EYE, MATRIX)),
    # problems
    "factorization": door(
        dlnlab.factorization, M=(M, TARGET | {"1e308"}), normalization=("sum", NOTHING)
    ),
    "completion": door(
        dlnlab.completion,
        M=(M, TARGET),
        mask=(MASK, {"Boolean matrix", "sparse matrix"}),
        normalization=("sum", NOTHING),
        target=("M", OPTIONAL | TARGET),
        computation=("auto", NOTHING),
    ),
    "completion of sparse entries": door(
        functools.partial(dlnlab.completion, scipy.sparse.csr_array(M)),
        mask=(None, OPTIONAL),
        normalization=("mean", NOTHING),
        target=(None, OPTIONAL | TARGET),
        computation=("sampled", NOTHING),
    ),
    "sensing": door(
        dlnlab.sensing,
        matrices=(np.ones((2, 3, 3)), {"stack", "list of matrices"}),
        measurements=(np.ones(2), {"[1, 2]", "[2.0, 1.0]"}),
        normalization=("sum", NOTHING),
        target=(None, OPTIONAL | TARGET),
    ),
    "linear_recovery": door(
        dlnlab.linear_recovery,
        operator=(np.ones((2, 9)), NOTHING),
        measurements=([1.0, 2.0], {"[1, 2]", "[2.0, 1.0]"}),
        shape=((3, 3), NOTHING),
        normalization=("sum", NOTHING),
        target=(None, OPTIONAL | TARGET),
    ),
    **{
        f"Problem.{name} of {kind}": door(
            getattr(problem, name), W=(EYE, MATRIX | UNKNOWN | {"many axes"})
        )
        for kind, problem in PROBLEMS.items()
        for name in ("loss", "gradient", "error", "singular_values")
    },
    # networks
    "original_weights": door(
        dlnlab.original_weights,
        shape=((3, 3), SHAPE),
        depth=(2, {"2", "np.int64"}),
        eps=(0.1, POSITIVE),
        rng=(0, SEED),
        init=("orthogonal", NOTHING),
        width=(None, OPTIONAL | SOME),
        batch=((), NAMES | SHAPE),
        like=(None, OPTIONAL | LIKE),
    ),
    "compressed_weights": door(
        dlnlab.compressed_weights,
        problem=(PROBLEM, NOTHING),
        r_hat=(1, SOME),
        depth=(2, {"2", "np.int64"}),
        eps=(0.1, POSITIVE),
    ),
    "end_to_end": door(dlnlab.end_to_end, weights=(WIDE, NETWORK)),
    "layer_gradients": door(
        dlnlab.layer_gradients, weights=(WIDE, NETWORK), gradient=(EYE, MATRIX | UNKNOWN)
    ),
    "networks.imbalance": door(dlnlab.networks.imbalance, weights=(WIDE, NETWORK)),
    # descent and flow
    "gradient_descent": door(
        dlnlab.gradient_descent,
        problem=(PROBLEM, NOTHING),
        weights=(WIDE, NETWORK),
        tried=False,
        **DESCENT,
    ),
    "gradient_flow": door(
        dlnlab.gradient_flow,
        tried=False,
        problem=(PROBLEM, NOTHING),
        weights=(WIDE, NETWORK),
        t_end=(1.0, POSITIVE),
        weight_decay=(0.0, NONNEGATIVE | {"5e-324"}),
        rtol=(1e-6, {"1e-300", "Fraction"}),
        atol=(None, OPTIONAL | POSITIVE),
        times=(None, OPTIONAL | SPECTRUM | NAMES | {"empty array"}),
        resolution=(None, OPTIONAL | POSITIVE),
        record=(("loss",), NAMES),
        method=("RK45", NOTHING),
        stability=(None, OPTIONAL | POSITIVE - {"1e-300"}),
        max_steps=(None, OPTIONAL | SOME | {"10**9"}),
        tol=(0.0, NONNEGATIVE | {"5e-324"}),
        stationarity=(None, OPTIONAL | NONNEGATIVE | {"5e-324"}),
        stop=(None, OPTIONAL | CALL),
        observe=(None, OPTIONAL | CALL),
        progress=(False, PROGRESS),
    ),
    "conjecture": door(
        dlnlab.conjecture,
        statement=("holds", TEXT - {"empty text"}),
        about=("descent", NOTHING),
        premises=((), NAMES),
        eta=(None, OPTIONAL | POSITIVE | {"[1, 2]"}),
        method=(None, OPTIONAL | TEXT),
    ),
    "Conjecture": door(
        dlnlab.Conjecture,
        question=(CONJECTURE._question, NOTHING),
        eta=(None, OPTIONAL | POSITIVE | {"[1, 2]"}),
    ),
    "Conjecture.attack": door(
        CONJECTURE.attack,
        instances=(1, SOME),
        seed=(0, SEED - {"Generator"}),
        shapes=([(2, 2)], OPTIONAL),
        ranks=(1, OPTIONAL | SOME | {"[1, 2]"}),
        depths=(2, OPTIONAL | {"2", "np.int64"}),
        eps=(0.5, OPTIONAL | POSITIVE | {"[1, 2]"}),
        r_hat=("any", OPTIONAL | SOME | {"[1, 2]", "range"}),
        alignment=("any", NOTHING),
        shrinks=(1, WHOLE),
        executor=("serial", OPTIONAL),
        path=(None, OPTIONAL | PATH),
        progress=(False, PROGRESS),
    ),
    "compare": door(
        dlnlab.compare,
        tried=False,
        M=(M, TARGET),
        r_hat=(1, OPTIONAL | SOME),
        rank=("auto", SOME),
        depth=(2, {"2", "np.int64"}),
        eps=(0.3, POSITIVE),
        rng=(0, SEED),
        width=(None, OPTIONAL | WHOLE),
        weights=(None, OPTIONAL | NETWORK),
        normalization=("sum", NOTHING),
        within=(0.05, {"1e-300", "Fraction"}),
        t_end=(None, OPTIONAL | POSITIVE),
        rtol=(1e-6, NOTHING),
        method=("RK45", NOTHING),
        max_steps=(1000, OPTIONAL | SOME | {"10**9"}),
        num_records=(20, NOTHING),
        progress=(False, PROGRESS),
        announce=(None, OPTIONAL | CALL),
    ),
    "flow.Plan": result(COMPARISON.plan),
    "Comparison": result(COMPARISON),
    "Comparison.plot": door(COMPARISON.plot, tried=False, figure=(None, OPTIONAL)),
    "Comparison.plot_assumption1": door(
        COMPARISON.plot_assumption1, tried=False, figure=(None, OPTIONAL)
    ),
    "Comparison.matrices": door(COMPARISON.matrices, record=(0, COUNT | {"-1"})),
    **{
        f"Problem.stable_step of {kind}": door(
            problem.stable_step, weights=(WIDE, NETWORK), alpha=(1.0, POSITIVE)
        )
        for kind, problem in PROBLEMS.items()
    },
    "Trajectory": result(RUN),
    "Trajectory.plot": door(RUN.plot, tried=False, figure=(None, OPTIONAL)),
    "Trajectory.save": door(RUN.save, path=("run.npz", PATH)),
    "Trajectory.load": door(dlnlab.Trajectory.load, tried=False, path=("run.npz", PATH)),
    # data
    "Ratings": door(
        dlnlab.Ratings,
        users=([0, 1], {"[1, 2]"}),
        items=([0, 1], {"[1, 2]"}),
        values=([5.0, 3.0], {"[1, 2]", "[2.0, 1.0]"}),
        shape=((3, 3), NOTHING),
    ),
    "Ratings.split": door(RATINGS.split, test_share=(0.5, {"Fraction"}), rng=(0, SEED)),
    "Ratings.fold": door(RATINGS.fold, number=(1, SOME), count=(2, SOME)),
    "Ratings.completion": door(
        RATINGS.completion, normalization=("sum", NOTHING), computation=("auto", NOTHING)
    ),
    **{
        f"Ratings.{name}": door(getattr(RATINGS, name), weights=(WIDE, NETWORK))
        for name in ("predictions", "half_mse", "rmse")
    },
    "movielens.RatingsFile": door(
        dlnlab.movielens.RatingsFile,
        url=("url", TEXT),
        checksum=("sum", TEXT),
        member=("u.data", TEXT),
        num_users=(2, WHOLE),
        num_items=(2, WHOLE),
        num_ratings=(2, WHOLE),
        values=((1, 2), {"()"}),
    ),
    "movielens.load": door(
        dlnlab.movielens.load, tried=False, path=("no", OPTIONAL | PATH), file=(FILE, NOTHING)
    ),
    "movielens.read": door(
        dlnlab.movielens.read, tried=False, path=("no", PATH), file=(FILE, NOTHING)
    ),
    "movielens.download": door(
        dlnlab.movielens.download,
        tried=False,
        folder=(".", OPTIONAL | PATH),
        file=(FILE, NOTHING),
    ),
    # spectra
    "spectra.alignments": door(
        spectra.alignments, W=(EYE, LISTED | UNKNOWN), target=(PROBLEM.target_svd, NOTHING)
    ),
    "spectra.compact_svd": door(spectra.compact_svd, M=(EYE, LISTED)),
    "spectra.fitting_times": door(
        spectra.fitting_times,
        times=(TIMES, SPECTRUM),
        values=(FITTED, NOTHING),
        targets=(np.ones(1), NOTHING),
        within=(0.05, POSITIVE),
    ),
    "spectra.leading_svd": door(
        spectra.leading_svd, A=(scipy.sparse.csr_array(M), {"sparse matrix"}), count=(1, SOME)
    ),
    "spectra.numerical_rank": door(
        spectra.numerical_rank,
        s=(np.ones(3), SPECTRUM | LISTED | UNKNOWN | {"[nan]"}),
        shape=((3, 3), SHAPE),
    ),
    "spectra.svd_numbers": door(spectra.svd_numbers, shape=((3, 3), SHAPE)),
    "spectra.singular_values": door(spectra.singular_values, W=(EYE, LISTED | UNKNOWN)),
    "spectra.subspace_distance": door(spectra.subspace_distance, A=(EYE, LISTED), B=(EYE, LISTED)),
    # modes
    "modes.descent": door(
        dlnlab.modes.descent,
        targets=([1.0], NUMBERS | NONNEGATIVE | {"empty array"} | NAMES),
        eps=(0.1, POSITIVE),
        depth=(3, {"2", "np.int64"}),
        eta=(0.1, POSITIVE),
        num_steps=(2, WHOLE),
        alpha=(1.0, POSITIVE),
        weight_decay=(0.0, NONNEGATIVE | {"5e-324"}),
    ),
    "modes.fitting_times": door(
        dlnlab.modes.fitting_times,
        targets=([1.0], NUMBERS | {"empty array"} | NAMES),
        within=(0.05, POSITIVE),
        **MODE,
    ),
    "modes.flow": door(
        dlnlab.modes.flow,
        times=([1.0], NUMBERS | NONNEGATIVE | {"empty array"} | NAMES),
        targets=([1.0], NUMBERS | NONNEGATIVE | {"empty array"} | NAMES),
        **MODE,
    ),
    "modes.flow_times": door(
        dlnlab.modes.flow_times,
        values=([0.5], NUMBERS | {"empty array", "empty matrix"} | NAMES | LISTED),
        target=(1.0, POSITIVE),
        **MODE,
    ),
    # reductions
    "parsimony.reduce": door(
        dlnlab.parsimony.reduce, problem=(PROBLEM, NOTHING), weights=(WIDE, NETWORK)
    ),
    "parsimony.reduce_random": door(
        dlnlab.parsimony.reduce_random,
        problem=(PROBLEM, NOTHING),
        depth=(2, {"2", "np.int64"}),
        eps=(0.1, POSITIVE),
        rng=(0, SEED),
        width=(None, OPTIONAL | {"np.int64"}),
    ),
    "parsimony.Reduction": result(REDUCTION),
    "Reduction.lift": door(REDUCTION.lift, weights=(REDUCTION.weights, NETWORK)),
    "Reduction.lift_end_to_end": door(REDUCTION.lift_end_to_end, W=(EYE, LISTED | UNKNOWN)),
    "spans.reduce_thin": door(
        thin.reduce_thin, problem=(PROBLEM, NOTHING), weights=(WIDE, NETWORK)
    ),
    "spans.ThinReduction": result(THIN),
    "ThinReduction.lift": door(THIN.lift, weights=(THIN.weights, NOTHING)),
    "ThinReduction.lift_end_to_end": door(THIN.lift_end_to_end, W=(np.eye(2), NOTHING)),
    "formulations.choose": door(
        choice.choose,
        problem=(PROBLEM, NOTHING),
        weights=(WIDE, NETWORK),
        num_steps=(2, WHOLE),
        formulation=("auto", NOTHING),
        method=("descent", NOTHING),
    ),
    "memory.of_descent": door(
        memory.of_descent,
        problem=(PROBLEM, NOTHING),
        weights=(WIDE, NETWORK),
        num_records=(2, WHOLE),
        record=(("loss",), NAMES),
        batch=(None, OPTIONAL | NAMES | SHAPE),
        run=(None, OPTIONAL),
        checkpoint=(False, FLAG),
        method=("descent", NOTHING),
        minibatch=(None, OPTIONAL | WHOLE),
    ),
    "memory.Footprint": door(
        memory.Footprint,
        work=(1, WHOLE),
        records=(1, WHOLE),
        objects=(1, WHOLE),
        held=(1, WHOLE),
    ),
    "memory.Peak": door(memory.Peak, bytes=(1, OPTIONAL | WHOLE | {"-1", "10**30"})),
    "Footprint.require": door(memory.Footprint(1, 1, 1).require, reference=(EYE, ALL)),
    "memory.watch": door(memory.watch, entered),
    # baselines
    "baselines.alternating_minimization": door(
        dlnlab.baselines.alternating_minimization,
        tried=False,
        problem=(COMPLETION, NOTHING),
        rank=(1, SOME),
        num_iterations=(1, WHOLE),
        ridge=(0.0, NONNEGATIVE | {"5e-324"}),
        ridge_per=("row", NOTHING),
        init=("spectral", NOTHING),
        rng=(0, SEED),
        record=(("loss",), NAMES),
        tol=(0.0, NONNEGATIVE | {"5e-324"}),
    ),
    "baselines.biases": door(
        dlnlab.baselines.biases, ratings=(RATINGS, NOTHING), ridge=(0.1, POSITIVE)
    ),
    "baselines.burer_monteiro": door(
        dlnlab.baselines.burer_monteiro,
        tried=False,
        problem=(PROBLEM, NOTHING),
        rank=(1, SOME),
        init=("spectral", NOTHING),
        eps=(0.1, POSITIVE),
        **DESCENT,
    ),
    "baselines.spectral_factors": door(
        dlnlab.baselines.spectral_factors, problem=(PROBLEM, NOTHING), rank=(1, SOME)
    ),
    # compression
    "compression.FactorRun": result(FACTOR_RUN),
    "compression.group_lasso": door(
        dlnlab.compression.group_lasso,
        tried=False,
        problem=(PROBLEM, NOTHING),
        width=(2, SOME),
        penalty=(0.1, NUMBERS | NONNEGATIVE | {"stack", "5e-324"} | LISTED),
        smoothing=(0.1, POSITIVE | SPECTRUM | {"scalar array", "stack"}),
        eps=(0.5, POSITIVE),
        rng=(0, SEED),
        batch=((), NAMES | {"[1, 2]"}),
        factor=(None, OPTIONAL | LISTED),
        **TIED,
    ),
    "compression.fine_tune": door(
        dlnlab.compression.fine_tune,
        tried=False,
        problem=(PROBLEM, NOTHING),
        factor=(EYE, LISTED),
        **TIED,
    ),
    "compression.prune": door(
        dlnlab.compression.prune,
        factor=(EYE, LISTED),
        threshold=("auto", NONNEGATIVE | {"5e-324"}),
    ),
    "compression.pruning_threshold": door(
        dlnlab.compression.pruning_threshold, factor=(EYE, LISTED)
    ),
    "compression.stationarity": door(
        dlnlab.compression.stationarity,
        problem=(PROBLEM, NOTHING),
        factor=(EYE, LISTED - {"stack"}),
        penalty=(0.0, NONNEGATIVE | {"5e-324"}),
        smoothing=(1.0, POSITIVE),
    ),
    "compression.singular_value_thresholding": door(
        dlnlab.compression.singular_value_thresholding,
        tried=False,
        problem=(PROBLEM, NOTHING),
        weights=(None, OPTIONAL | LISTED),
        penalty=(0.1, NUMBERS | NONNEGATIVE | {"stack", "5e-324"} | LISTED),
        rule=("hard", NOTHING),
        schedule=((1.0,), SPECTRUM),
        layer=(0, {"0"}),
        **TIED,
    ),
    "compression.shrink": door(
        dlnlab.compression.shrink,
        W=(EYE, LISTED),
        amount=(0.1, NONNEGATIVE | {"5e-324", "scalar array"}),
        rule=("hard", NOTHING),
    ),
    "compression.truncated_svd": door(
        dlnlab.compression.truncated_svd, W=(EYE, LISTED), rank=(1, SOME)
    ),
    "compression.weighted_svd": door(
        dlnlab.compression.weighted_svd,
        W=(EYE, LISTED),
        rank=(1, SOME),
        covariance=(EYE, LISTED),
    ),
    "compression.split": door(dlnlab.compression.split, W=(EYE, LISTED), rank=(1, SOME)),
    # claims
    "Premise": door(
        dlnlab.Premise,
        name=("p", TEXT),
        statement=("holds", TEXT),
        margin=(1.0, LOOSE),
        error=(0.0, LOOSE),
    ),
    "Verdict": door(
        dlnlab.Verdict,
        claim=("c", TEXT),
        statement=("holds", TEXT),
        status=(dlnlab.claims.verdict.STATUSES[0], NOTHING),
        margin=(1.0, LOOSE),
        error=(0.0, LOOSE),
        premises=((), NAMES),
        instances=(1, WHOLE),
        witness=({}, {"{}", "dict"}),
        seconds=(0.0, LOOSE),
        condition=("", TEXT),
        known=("", {"empty text"}),
        reproduced=(True, FLAG),
    ),
    "claims.judge": door(
        dlnlab.claims.judge,
        claim=("c", TEXT),
        statement=("holds", TEXT),
        margin=(1.0, LOOSE),
        error=(0.0, LOOSE),
        premises=((), NAMES),
        witness=({}, {"{}", "dict"}),
        standing=(dlnlab.claims.Standing("conjecture"), NOTHING),
    ),
    # campaigns
    "campaigns.run": door(dlnlab.campaigns.run, tried=False, **CAMPAIGN),
    "campaigns.as_completed": door(dlnlab.campaigns.as_completed, list, tried=False, **CAMPAIGN),
    "campaigns.task": door(dlnlab.campaigns.task, name=("task", TEXT)),
    "campaigns.state_file": door(dlnlab.campaigns.state_file, name=("network.npz", TEXT)),
    "campaigns.seconds": door(
        dlnlab.campaigns.seconds,
        function=CAMPAIGN["function"],
        configurations=CAMPAIGN["configurations"],
        path=("no.jsonl", PATH),
    ),
    "executors.using": door(executors.using, entered, tried=False, executor=("serial", OPTIONAL)),
    "executors.Processes": door(
        executors.Processes, tried=False, workers=(1, OPTIONAL | WHOLE), oversubscribe=(False, FLAG)
    ),
    "executors.Serial": door(executors.Serial),
    # experiments
    "experiments.Yardstick": door(
        experiments.Yardstick,
        quantity=("gain", TEXT),
        words=("words", TEXT),
        low=(0.0, LOOSE),
        high=(1e9, LOOSE),
        published=(None, OPTIONAL | POSITIVE),
        reading_error=(0.0, NONNEGATIVE | {"5e-324"}),
        source=("here", TEXT),
        ours=(False, FLAG),
    ),
    "experiments.Panel": door(
        experiments.Panel,
        **dict.fromkeys(("x", "y", "xlabel", "ylabel", "title"), ("label", TEXT)),
        **dict.fromkeys(("logx", "logy", "targets", "shades"), (False, FLAG)),
        **dict.fromkeys(("offset", "low", "high"), (1.0, LOOSE)),
        marks=({}, {"{}"}),
        curves=((), {"()"}),
    ),
    "experiments.Experiment": door(
        experiments.Experiment,
        **dict.fromkeys(
            ("name", "title", "claim", "needs_data", "why", "apart", "runs_of"), ("text", TEXT)
        ),
        settings=({"paper": {"a": 1}}, {"{}"}),
        measure=(measured, CALL),
        yardsticks=((YARDSTICK,), {"()"}),
        panels=((PANEL,), {"()"}),
        quick=({}, {"{}", "dict"}),
        **dict.fromkeys(("meanings", "words"), ({}, {"{}"})),
        seeds=(3, WHOLE),
        **dict.fromkeys(("notes", "on_request", "rows", "without_data"), ((), {"()"})),
        **dict.fromkeys(("check_data", "check_settings"), (None, CALL | {"None"})),
        quick_data=(True, FLAG),
        ours=(False, FLAG),
    ),
    "Experiment.needed": door(EXPERIMENT.needed, readings=(None, {"None"}), quick=(False, FLAG)),
    "Experiment.check_ready": door(
        EXPERIMENT.check_ready, readings=(["paper"], NAMES | {"()"}), quick=(False, FLAG)
    ),
    "Experiment.configurations": door(
        EXPERIMENT.configurations,
        reading=("paper", NOTHING),
        seeds=(1, COUNT),
        quick=(False, FLAG),
        data=("", TEXT),
    ),
    "experiments.Network": door(
        experiments.Network,
        weights=(WIDE, NETWORK),
        eta=(0.1, POSITIVE),
        alpha=(1.0, POSITIVE),
    ),
    "experiments.run": door(
        experiments.run,
        tried=False,
        problem=(PROBLEM, NOTHING),
        networks=({"wide": NETWORK_TO_RUN}, NOTHING),
        num_steps=(2, WHOLE),
        tol=(0.0, NONNEGATIVE | {"5e-324"}),
        record_every=(1, WHOLE),
        num_singular_values=(0, WHOLE),
        progress=(False, PROGRESS),
    ),
    "experiments.study": door(
        experiments.study,
        tried=False,
        experiment=(EXPERIMENT, NOTHING),
        readings=(None, OPTIONAL),
        seeds=(1, OPTIONAL | COUNT),
        quick=(False, FLAG),
        executor=("serial", OPTIONAL),
        path=(None, OPTIONAL | PATH),
        progress=(False, PROGRESS),
        data=("", TEXT),
    ),
    "experiments.Study": result(experiments.study(EXPERIMENT, seeds=1, executor="serial")),
    "Study.plot": door(
        experiments.study(EXPERIMENT, seeds=1, executor="serial").plot,
        tried=False,
        figure=(None, OPTIONAL),
    ),
    "networks.lambda_balanced_weights": door(
        dlnlab.networks.lambda_balanced_weights,
        shape=((3, 3), SHAPE),
        eps=(0.1, POSITIVE),
        imbalance=(0.5, NUMBER | {"5e-324"}),
        rng=(0, SEED),
        width=(None, OPTIONAL | SOME),
        like=(None, OPTIONAL | LIKE),
    ),
    # methods of descent
    "methods.Method": result(dlnlab.methods.Method()),
    "methods.check_method": door(dlnlab.methods.check_method, method=("adam", NOTHING)),
    "methods.Descent": result(dlnlab.methods.Descent()),
    "methods.Momentum": door(dlnlab.methods.Momentum, beta=(0.9, MEMORY), nesterov=(False, FLAG)),
    "methods.Adam": door(
        dlnlab.methods.Adam,
        beta1=(0.9, MEMORY),
        beta2=(0.999, MEMORY),
        epsilon=(1e-8, POSITIVE),
    ),
    # classifiers and what they are trained on
    "nets.deep_linear": door(dlnlab.nets.deep_linear, inputs=(3, SIZE), classes=(3, SIZE - {"1"})),
    "nets.mlp": door(
        dlnlab.nets.mlp,
        **dict.fromkeys(("inputs", "width"), (3, SIZE)),
        classes=(3, SIZE - {"1"}),
        **BLOCK,
    ),
    "nets.vit": door(
        dlnlab.nets.vit,
        image=((8, 8, 3), NOTHING),
        patch=(4, SOME),
        dim=(16, {"10**9"}),
        blocks=(1, SOME),
        heads=(2, SOME),
        mlp_dim=(16, SIZE),
        classes=(3, SIZE - {"1"}),
        **BLOCK,
    ),
    "nets.cross_correlation": door(
        dlnlab.nets.cross_correlation,
        X=(EYE, SAMPLES),
        y=(np.arange(3), {"range"}),
        classes=(3, {"10**9", "np.int64"}),
    ),
    "nets.train": door(
        dlnlab.nets.train,
        model=(CLASSIFIER, NOTHING),
        params=(PARAMETERS, NOTHING),
        data=((EYE, np.arange(3)), NOTHING),
        test=(None, OPTIONAL),
        method=("adam", NOTHING),
        eta=(0.1, POSITIVE),
        alpha=(None, OPTIONAL | {"{}"}),
        weight_decay=(0.0, NONNEGATIVE | {"5e-324"}),
        batch=(None, OPTIONAL | SOME),
        num_steps=(1, WHOLE),
        schedule=("cosine", NOTHING),
        loss=("cross_entropy", NOTHING),
        rng=(0, SEED),
        record_every=DESCENT["record_every"],
        record=(("loss",), NAMES),
        progress=(False, PROGRESS),
        checkpoint=(None, OPTIONAL | PATH),
        checkpoint_every=(10.0, NONNEGATIVE | {"5e-324"}),
    ),
    "Network.init": door(
        CLASSIFIER.init,
        rng=(0, SEED),
        eps=(1.0, POSITIVE),
        like=(None, OPTIONAL | LIKE),
        init=("uniform", NOTHING),
        correlation=(None, OPTIONAL | MATRIX - {"stack"}),
    ),
    "Network.macs": door(CLASSIFIER.macs, batch=(1, SIZE)),
    "Network.memory": door(CLASSIFIER.memory, batch=(1, SIZE), itemsize=(4, SIZE)),
    "Network.logits": door(CLASSIFIER.logits, params=(PARAMETERS, NOTHING), X=(EYE, SAMPLES)),
    "Network.loss_and_gradients": door(
        CLASSIFIER.loss_and_gradients,
        params=(PARAMETERS, NOTHING),
        X=(EYE, SAMPLES),
        y=(np.arange(3), {"range"}),
        loss=("cross_entropy", NOTHING),
    ),
    "data.Images": door(
        dlnlab.data.Images,
        pixels=(PIXELS, NOTHING),
        labels=(np.arange(3), NOTHING),
        brightest=(255, SOME),
    ),
    "Images.scaled": door(IMAGES.scaled, like=(None, OPTIONAL | LIKE)),
    "data.ImageSet": door(
        dlnlab.data.ImageSet,
        name=("name", TEXT),
        train=(IMAGES, NOTHING),
        test=(IMAGES, NOTHING),
        classes=(("a", "b", "c"), NOTHING),
    ),
    **{
        f"data.{name}": door(
            getattr(dlnlab.data, name), tried=False, path=("nowhere", PATH | OPTIONAL)
        )
        for name in ("cifar10", "fashion_mnist", "mnist")
    },
    "data.read": door(
        dlnlab.data.read,
        tried=False,
        path=("x.npy", PATH),
        header=(None, OPTIONAL | FLAG),
        index=(None, OPTIONAL | FLAG),
        name=(None, OPTIONAL | TEXT),
    ),
    "data.Table": result(dlnlab.data.Table(EYE, "3 × 3 from x.npy")),
    "data.digits": door(dlnlab.data.digits),
    # plotting
    **{
        f"plotting.{name}": door(getattr(plotting, name), tried=False, **DRAWN)
        for name in ("alignments", "c_val", "c_vec", "errors", "margin", "singular_values")
    },
    **{
        f"plotting.{name}": door(
            getattr(plotting, name), tried=False, c=(COMPARISON, NOTHING), figure=(None, OPTIONAL)
        )
        for name in ("comparison", "assumption1")
    },
    "plotting.arrange": door(
        plotting.arrange,
        tried=False,
        panels=([measured], NOTHING),
        title=("t", TEXT),
        figure=(None, OPTIONAL),
        columns=(1, WHOLE),
    ),
    "plotting.constants": door(
        plotting.constants,
        tried=False,
        comparisons=([COMPARISON], NOTHING),
        ax=(AX, NOTHING),
        names=(("c_val",), NOTHING),
    ),
    "plotting.small_starts": door(
        plotting.small_starts,
        tried=False,
        comparisons=([COMPARISON], NOTHING),
        figure=(None, OPTIONAL),
    ),
    "plotting.deviation": door(
        plotting.deviation,
        tried=False,
        x=(TIMES, SPECTRUM),
        values=(TIMES, SPECTRUM),
        allowed=(0.1, NONNEGATIVE | SPECTRUM | {"scalar array", "5e-324"}),
        ax=(AX, NOTHING),
        at=AT,
        discrete=(False, FLAG),
        **LABELS,
    ),
    "plotting.error_curves": door(
        plotting.error_curves,
        tried=False,
        times=(TIMES, SPECTRUM),
        original=(TIMES, SPECTRUM),
        compressed=(TIMES, SPECTRUM),
        ax=(AX, NOTHING),
    ),
    "plotting.families": door(
        plotting.families,
        tried=False,
        x=(TIMES, SPECTRUM),
        first=(FITTED, NOTHING),
        second=(FITTED, NOTHING),
        ax=(AX, NOTHING),
        labels=(("a", "b"), NOTHING),
        each=("mode", TEXT),
        at=AT,
        **LABELS,
    ),
    "plotting.save": door(
        plotting.save, tried=False, figure=(Figure(), NOTHING), path=("a.svg", NOTHING)
    ),
    "plotting.sides": door(
        plotting.sides,
        tried=False,
        parts=([("left", 1.0)], NOTHING),
        ax=(AX, NOTHING),
        xlabel=("x", TEXT),
    ),
    "plotting.signed_margin": door(
        plotting.signed_margin,
        tried=False,
        times=(TIMES, SPECTRUM),
        margin=(TIMES, SPECTRUM),
        error=(TIMES, SPECTRUM),
        ax=(AX, NOTHING),
        bound=(None, OPTIONAL | SPECTRUM),
        bound_label=("bound", TEXT),
        at=AT,
    ),
    "plotting.spectra": door(
        plotting.spectra,
        tried=False,
        series=({"a": TIMES}, NOTHING),
        ax=(AX, NOTHING),
        ylabel=("y", TEXT),
    ),
    "plotting.to_data_uri": door(plotting.to_data_uri, tried=False, figure=(Figure(), NOTHING)),
}

INNER = {
    f"Problem.{name}"
    for name in (
        "adjoint",
        "chosen_numbers",
        "compose",
        "factor_gradients",
        "gradient_of",
        "residual",
        "samples",
        "squared_norm",
        "surrogate_for",
        "workspace",
    )
} | {f"{kind}.move" for kind in ("Method", "Descent", "Momentum", "Adam")}
"""What a problem or a method is made of: a subclass defines it, and the doors beside it call it."""

PROTOCOL = {"Serial.submit", "Processes.submit", "Processes.shutdown"}
"""The interface of `concurrent.futures.Executor`: what a function raises is in the future."""


def test_every_room_is_public_or_the_house_s_own():
    rooms = {name for _, name, _ in pkgutil.iter_modules(dlnlab.__path__)} - {"__main__"}
    public = {name.split(".")[1] for name in public_modules() if "." in name} & rooms
    assert rooms == public | HOUSE
    assert not public & HOUSE


def test_every_public_callable_has_a_door():
    found = set(doors()) - INNER - PROTOCOL - {"Problem", "nets.Network"}  # which are abstract
    assert found == {name.split(" of ")[0] for name in DOORS}
    for name, entry in DOORS.items():
        given = inspect.signature(entry.call).parameters
        names = {n for n, p in given.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        assert names <= set(entry.arguments) or " of " in name, (name, names)
        is_open = any(p.kind is p.VAR_KEYWORD for p in given.values())
        assert set(entry.arguments) <= names or is_open, (name, names)


@contextlib.contextmanager
def time_limit(seconds: float):
    """Raise TimeoutError in a call that takes longer."""

    def stop(*arguments: Any) -> None:
        raise TimeoutError(f"took more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


SLOW = {"10**9"}
"""So many steps can be asked for, and take hours."""


def fault(entry: Door, argument: str, label: str) -> str | None:
    """Return what is wrong with the answer to one value, or None."""
    allowed = label in entry.arguments[argument][1]
    if allowed and (label in SLOW or not entry.tried):
        return None
    value = VALUES[label]
    if label == "iterator":
        value = iter([1.0])
    try:
        with time_limit(TIME_LIMIT):
            entry.open(**{argument: value})
    except (TypeError, ValueError) as error:
        return None if f"`{argument}" in str(error) else f"unnamed: {error!r}"[:200]
    except RuntimeWarning as error:
        return None if allowed and label in UNKNOWN else f"{error!r}"[:200]
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:200]
    return None if allowed else "accepted"


@pytest.mark.parametrize("name", DOORS)
def test_a_door_answers_any_value(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    entry = DOORS[name]
    faults = {}
    for argument in entry.arguments:
        for label in VALUES:
            found = fault(entry, argument, label)
            if found is not None:
                faults[argument, label] = found
    assert not faults, "\n".join(f"{key}: {told}" for key, told in faults.items())


def test_doors_without_a_check_are_noticed(monkeypatch):
    """The tests above can fail, and in every way that they look for."""
    careless = {
        "accepted": lambda x: None,
        "AttributeError": lambda x: x.no_such_thing,
        "unnamed": len,
        "RuntimeWarning": lambda x: np.float64(x) / 0,
        "TimeoutError": lambda x: time.sleep(1),
    }
    for told, call in careless.items():
        if told == "TimeoutError":
            monkeypatch.setitem(globals(), "TIME_LIMIT", 0.05)
        found = fault(door(call, x=(EYE, NOTHING)), "x", "1")
        assert found is not None
        assert found.startswith(told)
    monkeypatch.undo()
    assert fault(door(lambda x: None, x=(EYE, {"1"})), "x", "1") is None


def test_a_callable_without_a_door_is_noticed(monkeypatch):
    monkeypatch.setattr(dlnlab, "checks", checks, raising=False)
    monkeypatch.setattr(dlnlab, "__all__", [*dlnlab.__all__, "checks"])
    assert "checks.positive" in doors()
    assert "checks.positive" not in DOORS
