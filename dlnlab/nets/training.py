"""Training a classifier, on the loop of gradient descent: another objective, the same machinery.

The objective is the mean loss over samples, and its gradient is taken over all of them or over a
minibatch.  Which samples a step sees follows from the seed and the number of the step, so that
nothing of a source of randomness has to be kept for a run to continue as it would have.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.methods import SCHEDULES, Method, check_method
from dlnlab.nets.losses import LOSSES, Loss
from dlnlab.nets.network import Network
from dlnlab.nets.parameters import Named, check_parameters
from dlnlab.nets.samples import check_classes, check_samples, one_hot
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.training import kernels, memory, storage
from dlnlab.training.loop import Form, Loop, RecordSteps, State, check_records
from dlnlab.training.minibatches import Minibatches, seed_of
from dlnlab.training.recorder import Quantity, Recorder, copied
from dlnlab.training.trajectory import Trajectory

__all__ = ["QUANTITIES", "Classifier", "ClassifierLook", "Samples", "train"]

Samples = tuple[Array, Array]


def train(
    model: Network,
    params: Named,
    data: tuple[Array, Array],
    *,
    test: tuple[Array, Array] | None = None,
    method: str | Method = "adam",
    eta: float,
    alpha: Mapping[str, float] | None = None,
    weight_decay: float = 0.0,
    batch: int | None = None,
    num_steps: int,
    schedule: str = "cosine",
    loss: str = "cross_entropy",
    rng: np.random.Generator | int = 0,
    record_every: int | Sequence[int] = 100,
    record: Sequence[str] = (
        "loss",
        "accuracy",
        "test_loss",
        "test_accuracy",
        "layer_singular_values",
    ),
    progress: Any = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
) -> Trajectory:
    """Train a classifier by gradients of its mean loss, over all samples or over minibatches.

    Parameters
    ----------
    model : Network
        `mlp` or `vit`.
    params : dict of str to array
        Where to start, as `model.init` returns it, in single or double precision; not changed.
    data : (X, y)
        Samples, shape (n, *image), of the dtype of the parameters, and their classes, n integers.
    test : (X, y), optional
        Other samples, to record loss and accuracy of.
    method : str or Method
        "adam", "sgd" (or "descent"), "momentum", "nesterov", or an object of `dlnlab.methods`.
    eta : float
        Step size η > 0.
    alpha : dict of str to float, optional
        Factors > 0 on the step sizes of parameters by name; 1 for those that are not named, so that
        an empty dict is none at all.
    weight_decay : float
        μ ≥ 0: the method is given the gradients of the loss + (μ/2) Σ ‖W‖² over all parameters.
        What is recorded is the loss itself.
    batch : int, optional
        Samples in a minibatch; all of them by default.  In every epoch each sample is seen once, in
        an order that `rng` draws anew; the last minibatch of an epoch has what is left.
    num_steps : int
        Number of steps, ≥ 0; an epoch has ⌈n/batch⌉ of them.  With 0 the start is recorded, and
        returned.
    schedule : {"cosine", "constant"}
        "cosine": at step k = 0, 1, … the step size is η(1 + cos(πk/num_steps))/2.
    loss : {"cross_entropy", "squared"}
        See `Network.loss_and_gradients`.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed, of the order of samples.
    record_every : int or sequence of ints
        Record every so many steps, ≥ 1, or after exactly these numbers of steps, ≥ 0, in any order;
        those beyond the end are passed over.  The start and the end are always recorded.  A record
        of losses or accuracies goes through all samples.
    record : sequence of str
        Among "loss", "accuracy", "test_loss", "test_accuracy" (left out without `test`); and, of
        the penultimate block, which is a linear network, "layer_singular_values" (of each of its
        layers), "singular_values" and "end_to_end" (of their product) and "layers".
    progress : bool or callable
        True shows a line on the terminal; a callable gets (step, num_steps, loss), the loss being
        of the first samples only unless losses or accuracies are recorded.
    checkpoint : path, optional
        File to keep the state in, moments included.  If it exists the run continues from it, with
        results identical bit for bit to an uninterrupted run on the same machine.  With a constant
        schedule more `num_steps` may be asked for.
    checkpoint_every : float
        Seconds between writes of the checkpoint.

    Returns
    -------
    Trajectory
        `weights` are the final parameters, a dict as `params`; `clock` has the seconds that the
        steps before each record took, and `times` the sum of their step sizes.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, the run would not fit in memory, or the
        checkpoint cannot be written, is in use, or belongs to another run.
    Interrupted
        On Ctrl-C, after the checkpoint has been written; its `run` holds the record so far.

    Warns
    -----
    Unsaved
        If the checkpoint can no longer be written.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> model = dlnlab.nets.mlp(inputs=4, width=8, classes=2, penultimate="dln")
    >>> X = np.random.default_rng(0).standard_normal((50, 4))
    >>> y = (X[:, 0] > X[:, 1]).astype(int)
    >>> run = dlnlab.nets.train(model, model.init(rng=0), (X, y), eta=0.01, num_steps=200)
    >>> run.accuracies[[0, -1]].round(2).tolist()
    [0.4, 1.0]
    """
    checks.instance("model", model, Network, "a model, such as dlnlab.nets.mlp()")
    params = check_parameters(model.parameters, params)
    samples = _check_data("data", data, model, params)
    held_out = None if test is None else _check_data("test", test, model, params)
    objective = Classifier(
        model,
        samples,
        held_out,
        LOSSES[checks.choice("loss", loss, LOSSES)],
        None if batch is None else checks.integer("batch", batch, 1, samples[0].shape[0]),
        seed_of(rng),
    )
    method = check_method(method)
    factors = _check_alpha(alpha, model)
    eta = checks.positive("eta", eta)
    rates = [eta * factor for factor in factors]
    decay = checks.nonnegative("weight_decay", weight_decay)
    records = check_records(record_every, num_steps)
    course = SCHEDULES[checks.choice("schedule", schedule, SCHEDULES)]
    recorder = Recorder(_check_record(record, held_out is not None))
    start = tuple(params.values())
    _foreseen(objective, params, method, records, recorder).require(start[0])

    def stepper(state: State) -> kernels.Stateful:
        return kernels.Stateful(
            objective.gradients,
            state.weights,
            rates,
            decay or None,
            method,
            state.slots,
            state.step,
            lambda step: course.factor(step, records.num_steps),
        )

    def fingerprint() -> str:
        ends = records.num_steps if schedule != "constant" else None
        settings = (method, loss, rates, decay, schedule, ends, records.every, records.steps)
        names = tuple(recorder.quantities)
        return objective.fingerprint(f"{settings}{names}", start)

    loop = Loop(
        objective,
        stepper,
        method,
        State(0, start, kernels.zeros(method, start)),
        lambda step: eta * course.total(step, records.num_steps),
        records,
        recorder,
        _form(model, params),
        fingerprint,
        has_clock=True,
    )
    return loop.run(progress, checkpoint, checkpoint_every)


class Classifier:
    """The mean loss of a classifier over samples, and its gradient over some of them.

    Parameters
    ----------
    model : Network
    data : (X, y)
    test : (X, y) or None
    loss : callable
    batch : int or None
        Samples in a minibatch; None for all.
    seed : int
        Of the order of samples.
    """

    def __init__(
        self,
        model: Network,
        data: Samples,
        test: Samples | None,
        loss: Loss,
        batch: int | None,
        seed: int,
    ) -> None:
        self.model, self.data, self.test, self.loss = model, data, test, loss
        self.batch, self.seed = batch, seed
        self.names = tuple(model.parameters)
        samples = data[0].shape[0]
        self._minibatches = Minibatches(samples, batch or samples, seed)

    def gradients(self, weights: Sequence[Array], step: int) -> list[Array]:
        """Return the gradient of the mean loss over the samples that this step sees.

        Parameters
        ----------
        weights : sequence of arrays
            Parameters, in the order of their names.
        step : int
            k = 0, 1, …

        Returns
        -------
        list of arrays
        """
        X, y = self._minibatch(step)
        return list(self.model._evaluate(self.given(weights), X, y, self.loss)[1].values())

    def _minibatch(self, step: int) -> Samples:
        X, y = self.data
        if self.batch is None:
            return X, y
        xp = arrays.namespace(X)
        chosen = arrays.like(self._minibatches.at(step), X, keep_dtype=True)
        return xp.take(X, chosen, axis=0), xp.take(y, chosen, axis=0)

    def look(self, weights: Sequence[Array]) -> ClassifierLook:
        """Return the parameters, with what is measured of them.

        Parameters
        ----------
        weights : sequence of arrays
            Parameters, in the order of their names.

        Returns
        -------
        ClassifierLook
        """
        return ClassifierLook(self, self.given(weights))

    def value(self, look: ClassifierLook) -> Array:
        """Return the mean loss over all samples, if a record has it, or else over the first ones.

        That tells of a run that is not recorded whether it has diverged, and costs little.

        Parameters
        ----------
        look : ClassifierLook

        Returns
        -------
        array
        """
        if "of_data" in vars(look):
            return look.of_data[0]
        X, y = self.data
        piece = next(self.model._pieces(X))
        return self.measure(look.params, (X[piece, ...], y[piece]))[0]

    def given(self, weights: Sequence[Array]) -> Named:
        """Return the parameters of the network by name.

        Parameters
        ----------
        weights : sequence of arrays
            Parameters, in the order of their names.

        Returns
        -------
        dict of str to array
        """
        return dict(zip(self.names, weights, strict=True))

    def measure(self, params: Named, samples: Samples) -> tuple[Array, Array]:
        """Return the mean loss over samples, and the share whose class has the largest logit.

        Parameters
        ----------
        params : dict of str to array
        samples : (X, y)

        Returns
        -------
        tuple of 2 arrays
        """
        X, y = samples
        xp, model = arrays.namespace(X), self.model
        block, _ = model._factors(params, X.shape[0])
        losses, hits = [], []
        for piece in model._pieces(X):
            F = model._forward(params, block, X[piece, ...])[0]
            losses.append(self.loss(F, one_hot(y[piece], model.classes, F.dtype), X.shape[0])[0])
            hits.append(xp.sum(xp.astype(xp.argmax(F, axis=0) == y[piece], xp.float64)))
        return xp.sum(xp.stack(losses)), xp.sum(xp.stack(hits)) / X.shape[0]

    def fingerprint(self, settings: str, start: Sequence[Array]) -> str:
        """Hash model, samples, start, settings, and the order of samples.

        Parameters
        ----------
        settings : str
            What else determines the run.
        start : sequence of arrays

        Returns
        -------
        str
        """
        digest = hashlib.sha256(f"{self.model}{self.batch}{self.seed}{settings}".encode())
        for array in (*start, *self.data, *(self.test or ())):
            arrays.feed(digest, array)
        return digest.hexdigest()


class ClassifierLook:
    """Parameters, and what is measured of them: once, however many quantities need it.

    Parameters
    ----------
    objective : Classifier
    params : dict of str to array
    """

    def __init__(self, objective: Classifier, params: Named) -> None:
        self.objective, self.params = objective, params

    @functools.cached_property
    def of_data(self) -> tuple[Array, Array]:
        """Loss and accuracy."""
        return self.objective.measure(self.params, self.objective.data)

    @functools.cached_property
    def of_test(self) -> tuple[Array, Array]:
        """Loss and accuracy of the samples for the test."""
        assert self.objective.test is not None
        return self.objective.measure(self.params, self.objective.test)

    @property
    def block(self) -> Named:
        """The layers of the penultimate block."""
        return {name: self.params[name] for name in self.objective.model.block_names}

    @functools.cached_property
    def product(self) -> Array:
        """The matrix that the block is."""
        return copied(networks.prefix_products(tuple(self.block.values()))[-1])


QUANTITIES = {
    "loss": Quantity(lambda look: look.of_data[0], ("losses",)),
    "accuracy": Quantity(lambda look: look.of_data[1], ("accuracies",)),
    "test_loss": Quantity(lambda look: look.of_test[0], ("test_losses",), True),
    "test_accuracy": Quantity(lambda look: look.of_test[1], ("test_accuracies",), True),
    "layer_singular_values": Quantity(
        lambda look: {name: spectra.singular_values(W) for name, W in look.block.items()},
        ("layer_singular_values",),
    ),
    "singular_values": Quantity(
        lambda look: spectra.singular_values(look.product), ("singular_values",)
    ),
    "end_to_end": Quantity(lambda look: look.product, ("end_to_end",)),
    "layers": Quantity(
        lambda look: {name: copied(W) for name, W in look.block.items()}, ("layers",)
    ),
}
"""What can be recorded of a classifier; what needs a target needs samples for the test."""


def _check_record(record: Any, has_test: bool) -> dict[str, Quantity]:
    names = (record,) if isinstance(record, str) else record
    names = checks.sequence("record", names, f"names from {list(QUANTITIES)}")
    chosen = {name: QUANTITIES[checks.choice("record", name, QUANTITIES)] for name in names}
    return {name: q for name, q in chosen.items() if has_test or not q.needs_target}


def _check_data(name: str, data: Any, model: Network, params: Named) -> Samples:
    """Return samples and their classes, or raise."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(
            f"`{name}` must be a pair (X, y) of samples and their classes, "
            f"got {checks.describe(data)}"
        )
    try:
        X = check_samples(data[0], model.image, params[model.block_names[0]])
        return X, check_classes(data[1], X, model.classes)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`{name}`: {error}") from None


def _check_alpha(alpha: Any, model: Network) -> list[float]:
    """Return the factor on the step size of every parameter."""
    if alpha is None:
        return [1.0] * len(model.parameters)
    checks.instance("alpha", alpha, Mapping, "a dict of factors by the names of parameters")
    for name in alpha:
        checks.choice("alpha", name, model.parameters)
    return [
        checks.positive(f"alpha[{name!r}]", alpha[name]) if name in alpha else 1.0
        for name in model.parameters
    ]


def _foreseen(
    objective: Classifier, params: Named, method: Method, records: RecordSteps, recorder: Recorder
) -> memory.Footprint:
    """Return the memory that a run needs, at least.

    Parameters and what the method keeps of them are there twice, and a third time when a stretch of
    steps ends, when there are no gradients and activations.
    """
    model, start = objective.model, next(iter(params.values()))
    item = np.dtype(arrays.dtype_name(start)).itemsize
    copies = (1 + len(method.slots)) * item * model.num_parameters
    X, batch = objective.data[0], objective.batch
    step = item * model._working(X, batch or X.shape[0])[0]
    if batch is not None:  # a copy of the samples, and two orders of all
        step += item * batch * math.prod(model.image) + 16 * X.shape[0]
    tried = [part[0] for part in (objective.data, objective.test) if part is not None]
    losses = max(item * model._working(part, part.shape[0])[1] for part in tried)
    shapes = [params[name].shape for name in model.block_names]
    numbers = {
        "layers": [math.prod(shape) for shape in shapes],
        "end_to_end": [math.prod(model.block.shape)],
        "layer_singular_values": [min(shape) for shape in shapes],
        "singular_values": [min(model.block.shape)],
    }
    each = [n for name in recorder.quantities for n in numbers.get(name, [1])]
    recorded = records.count * item * sum(each)
    arrays_each = len(each) + 2 * len(recorder.quantities)  # a dict takes as much as two
    objects = memory.PER_RECORD + memory.PER_QUANTITY * arrays_each
    free = checks.slack(2 * recorded)  # beside the numbers and their second copy
    return memory.Footprint(
        work=checks.resident(2 * copies + max(copies, step, losses)),
        records=recorded,
        objects=records.count * objects + free,
        held=checks.resident(2 * copies),
    )


def _form(model: Network, params: Named) -> Form:
    """Return how a checkpoint keeps the parameters, and the sizes of all that it has."""
    d_out, d_in = model.block.shape
    sizes = {"d_out": d_out, "d_in": d_in}
    for name, W in params.items():
        sizes |= dict(zip(storage.named_axes(name, W.ndim), map(int, W.shape), strict=True))
    layers = {name: params[name].shape for name in model.block_names}
    sizes |= {storage.values_axis(name): min(shape) for name, shape in layers.items()}
    return Form(sizes, tuple(params), tuple(layers))
