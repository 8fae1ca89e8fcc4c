"""One wide network compressed to one width in six ways: the error at once, and after fine-tuning.

Ours; it brings together Kwon et al. 2024 (Algorithm 1), Rajaraman et al. 2023 (group Lasso, greedy
pruning, fine-tuning) and Shumaylov et al. 2025 (projections, gradual thresholding).  Recovery: a
noisy target U⋆U⋆ᵀ of rank r, a wide deep linear network trained on it, and its end-to-end matrix
compressed to rank r.  Digits: the penultimate layer of a trained MLP.  All ways train for `steps`
steps before the rank is cut, and fine-tune for `tune`; Algorithm 1 is narrow during both, and
gradual thresholding takes a quarter of `steps` more in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import dlnlab.nets
from dlnlab import compression, networks
from dlnlab.data.digits import digits
from dlnlab.problems import Problem, completion, factorization, sensing
from dlnlab.problems.targets import gaussian_ensemble, random_mask
from dlnlab.training.descent import gradient_descent

__all__ = [
    "DIGITS",
    "KINDS",
    "METHODS",
    "RECOVERY",
    "SETTINGS",
    "Row",
    "Way",
    "columns",
    "descend",
    "measure",
    "projections",
]

KINDS = ("factorization", "completion", "sensing", "digits")
RECOVERY = {"d": 40, "rank": 3, "noise": 0.02, "steps": 1500, "tune": 500}
DIGITS = {"width": 64, "rank": 4, "steps": 600, "tune": 200}

METHODS = (
    "Algorithm 1 from the start",
    "truncated SVD",
    "hard thresholding, gradual",
    "soft thresholding, gradual",
    "group Lasso + pruning",
    "weighted SVD, diagonal",
    "weighted SVD, covariance",
)

SETTINGS = {
    "kind": "what is recovered, or classified",
    "d": "side of the square target",
    "rank": "width to which the network is compressed, the rank of a target",
    "noise": "standard deviation of the noise: of a measurement, or √d times that of an entry",
    "width": "width of the classifier",
    "steps": "of training before the rank is cut",
    "tune": "of fine-tuning",
}
"""What the settings mean."""

Row = dict[str, Any]
Way = tuple[Callable[[], tuple[float, float]], float, int]
"""The two errors, yet to be found; seconds spent before; parameters."""


def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Compress one network in all ways.

    Parameters
    ----------
    configuration : mapping
        "kind" among `KINDS`, "seed", "rank", "steps", "tune", and "d" and "noise"; or for digits
        "width", which must be that of the images, 64.  "parts" holds the methods, among those that
        the kind has; all by default.

    Returns
    -------
    dict
        For each method "zero_shot" and "fine_tuned" (relative recovery errors, or error rates on
        held-out digits), "seconds" (processor time of everything, training included) and
        "parameters" of the compressed network, or layer.
    """
    ways = (_digits if configuration["kind"] == "digits" else _recovery)(configuration)
    return {name: _row(*ways[name]) for name in configuration.get("parts", ways)}


# ---------------------------------------------------------------------- recovery


def _problem(c: Mapping[str, Any]) -> tuple[Problem, np.ndarray]:
    """Return a noisy problem and the target without noise, with eigenvalues 1 … 0.5."""
    rng = np.random.default_rng([c["seed"], 16])
    d = c["d"]
    Q = np.linalg.qr(rng.standard_normal((d, c["rank"])))[0]
    M = (Q * np.linspace(1.0, 0.5, c["rank"])) @ Q.T
    seen = M + c["noise"] * _symmetric(rng.standard_normal((d, d))) / np.sqrt(d)
    if c["kind"] == "factorization":
        return factorization(seen), M
    if c["kind"] == "completion":
        mask = random_mask((d, d), 0.5, rng=rng)
        return completion(seen, mask, target=M), M
    m = 3 * d * c["rank"] * 2
    A = gaussian_ensemble(m, (d, d), rng=rng)
    y = np.einsum("mij,ij->m", A, M) + c["noise"] * rng.standard_normal(m)
    return sensing(A, y, "mean", target=M), M


def _symmetric(A: np.ndarray) -> np.ndarray:
    return (A + A.T) / np.sqrt(2)


def _recovery(c: Mapping[str, Any]) -> dict[str, Way]:
    problem, M = _problem(c)
    rank, quiet = c["rank"], {"record": (), "record_every": c["steps"] + c["tune"]}
    eta = 0.2 / problem.curvature  # half of what a factor of norm 1 allows, with a reserve

    def error(W: np.ndarray) -> float:
        return float(np.linalg.norm(W - M) / np.linalg.norm(M))

    def descend(weights: Any, steps: int) -> Any:
        return gradient_descent(problem, weights, eta=eta, num_steps=steps, **quiet).weights

    def cut(W: np.ndarray) -> tuple[float, float]:
        """Cut to the rank, and fine-tune the two factors."""
        tuned = descend(compression.split(W, rank), c["tune"])
        return error(compression.truncated_svd(W, rank)), error(networks.end_to_end(tuned))

    start = networks.original_weights(problem.shape, 3, 0.5, rng=c["seed"])
    trained, spent = _timed(lambda: networks.end_to_end(descend(start, c["steps"])))
    s, step = np.linalg.svd(trained, compute_uv=False), 0.5 / problem.curvature

    def lowered(rule: str, penalty: float) -> np.ndarray:
        """A quarter of the steps from the trained matrix, with a penalty that grows linearly."""
        return compression.singular_value_thresholding(
            problem, trained, penalty=penalty, rule=rule, eta=step,
            num_steps=c["steps"] // 4, schedule=(0.0, 1.0), **quiet,
        ).weights[0]  # fmt: skip

    def hard() -> tuple[float, float]:
        """With √(2ηλ) in the gap between σ_r and σ_{r+1} of the trained matrix."""
        return cut(lowered("hard", s[rank - 1] * s[rank] / (2 * step)))

    def soft() -> tuple[float, float]:
        """With the first λ of a doubling sequence that leaves rank r; the search is timed, too."""
        for k in range(10, -1, -1):
            W = lowered("soft", float(s[0]) * problem.curvature / 2**k)
            if np.linalg.matrix_rank(W, tol=1e-9) <= rank:
                break
        return cut(W)

    def algorithm_1() -> tuple[float, float]:
        narrow = networks.compressed_weights(problem, rank, 3, 0.5)
        before = descend(narrow, c["steps"])
        return tuple(error(networks.end_to_end(w)) for w in (before, descend(before, c["tune"])))  # type: ignore[return-value]

    def pruned() -> tuple[float, float]:
        run = compression.group_lasso(
            problem, c["d"], penalty=0.1, smoothing=1e-3, eta=eta / 4, rng=c["seed"],
            num_steps=c["steps"], **quiet,
        )  # fmt: skip
        norms = np.sort(run.column_norms)
        U = compression.prune(run.factor, np.sqrt(norms[-rank] * norms[-rank - 1]))
        tuned = compression.fine_tune(problem, U, eta=eta / 4, num_steps=c["tune"], **quiet).factor
        return error(U @ U.T), error(tuned @ tuned.T)

    d = c["d"]
    return {
        "Algorithm 1 from the start": (algorithm_1, 0.0, rank * (2 * d + rank)),
        "truncated SVD": (lambda: cut(trained), spent, 2 * rank * d),
        "hard thresholding, gradual": (hard, spent, 2 * rank * d),
        "soft thresholding, gradual": (soft, spent, 2 * rank * d),
        "group Lasso + pruning": (pruned, 0.0, rank * d),
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    return work(), time.process_time() - started


def _row(work: Callable[[], tuple[float, float]], before: float, parameters: int) -> Row:
    (zero_shot, tuned), spent = _timed(work)
    return {
        "zero_shot": zero_shot,
        "fine_tuned": tuned,
        "seconds": before + spent,
        "parameters": parameters,
    }


# ---------------------------------------------------------------------- digits


def _digits(c: Mapping[str, Any]) -> dict[str, Way]:
    images, (width, rank) = digits(), (c["width"], c["rank"])
    (X, y), (held_out, labels) = images.train.scaled(), images.test.scaled()
    X = X.reshape(len(X), -1)
    dense = dlnlab.nets.mlp(64, width, 10)
    narrow = dlnlab.nets.mlp(64, width, 10, "compressed", rank)

    def train(model: Any, params: Any, steps: int) -> Any:
        return descend(model, params, X, y, steps)

    def error(model: Any, params: Any) -> float:
        return float(np.mean(model.logits(params, held_out).argmax(axis=1) != labels))

    start = dense.init(rng=c["seed"], init="orthogonal")
    trained, spent = _timed(lambda: train(dense, start, c["steps"]))
    W = trained["W3"]
    hidden = np.maximum(trained["W2"] @ np.maximum(trained["W1"] @ X.T, 0), 0)
    C = hidden @ hidden.T / len(X)

    def cut(params: Any, V: np.ndarray) -> tuple[float, float]:
        """Put V in the place of W_3 as three layers (B, I, A), and train on."""
        B, A = compression.split(V, rank)
        layers = {"W3": B, "W4": np.eye(rank), "W5": A, "W6": params["W4"]}
        small = {"W1": params["W1"], "W2": params["W2"]} | layers
        return error(narrow, small), error(narrow, train(narrow, small, c["tune"]))

    def gradual(rule: str) -> tuple[float, float]:
        """Train on for a quarter of the steps while the singular values are lowered."""
        params, steps = dict(trained), c["steps"] // 4
        s = np.linalg.svd(W, compute_uv=False)
        last = s[rank - 1] * s[rank] / 2 if rule == "hard" else 2 * s[rank] / steps
        for step in range(steps):
            params = train(dense, params, 1)
            amount = last * (step + 1) / steps
            params["W3"] = compression.shrink(params["W3"], amount, rule)
        return cut(params, compression.truncated_svd(params["W3"], rank))

    def algorithm_1() -> tuple[float, float]:
        M = dlnlab.nets.cross_correlation(X, y, 10)
        begun = narrow.init(rng=c["seed"], init="orthogonal", correlation=M)
        params = train(narrow, begun, c["steps"])
        return error(narrow, params), error(narrow, train(narrow, params, c["tune"]))

    def projected(covariance: np.ndarray) -> tuple[float, float]:
        return cut(trained, compression.weighted_svd(W, rank, covariance))

    diagonal, size = np.diag(np.diag(C) + 1e-12), rank * (2 * width + rank)
    return {
        "Algorithm 1 from the start": (algorithm_1, 0.0, size),
        "truncated SVD": (lambda: cut(trained, W), spent, size),
        "weighted SVD, diagonal": (lambda: projected(diagonal), spent, size),
        "weighted SVD, covariance": (lambda: projected(C), spent, size),
        "hard thresholding, gradual": (lambda: gradual("hard"), spent, size),
        "soft thresholding, gradual": (lambda: gradual("soft"), spent, size),
    }


def descend(model: Any, params: Any, X: np.ndarray, y: np.ndarray, steps: int) -> Any:
    """Return the parameters of a classifier after steps of descent on all samples.

    Parameters
    ----------
    model : Network
    params : mapping of arrays
    X : array, shape (samples, inputs)
    y : array of int, shape (samples,)
    steps : int

    Returns
    -------
    dict of arrays
    """
    for _ in range(steps):
        _, gradients = model.loss_and_gradients(params, X, y)
        params = {name: W - 0.1 * gradients[name] for name, W in params.items()}
    return params


# ---------------------------------------------------------------------- projections


def projections(
    ranks: tuple[int, ...] = (3, 8, 15), seed: int = 0, *, sweeps: int = 30
) -> dict[str, dict[str, list[float]]]:
    """Return the relative output errors of a layer of 40 × 30 cut in three ways, at once and after.

    The inputs have a covariance of condition 10³.  Fine-tuning is alternating least squares on the
    output error, from the two factors of each cut.

    Parameters
    ----------
    ranks : tuple of int
    seed : int
    sweeps : int
        Of alternating least squares.

    Returns
    -------
    dict
        "zero_shot" and "fine_tuned" of "plain", "diagonal" and "full covariance", rank by
        rank; and "ranks".
    """
    rng = np.random.default_rng(seed)
    W, Q = rng.standard_normal((40, 30)), np.linalg.qr(rng.standard_normal((30, 30)))[0]
    root = (Q * np.geomspace(1, 1e-3, 30) ** 0.5) @ Q.T
    C = root @ root

    def error(V: np.ndarray) -> float:
        return float(np.linalg.norm((W - V) @ root) / np.linalg.norm(W @ root))

    def tuned(V: np.ndarray, rank: int) -> np.ndarray:
        _, B = compression.split(V, rank)
        for _ in range(sweeps):
            A = np.linalg.pinv(B) @ W
            B = W @ root @ np.linalg.pinv(A @ root)
        return B @ A

    forms = {"plain": np.eye(30), "diagonal": np.diag(np.diag(C)), "full covariance": C}
    found: dict[str, dict[str, list[float]]] = {}
    for name, form in forms.items():
        cuts = [(compression.weighted_svd(W, rank, form), rank) for rank in ranks]
        found[name] = {
            "zero_shot": [error(V) for V, _ in cuts],
            "fine_tuned": [error(tuned(V, rank)) for V, rank in cuts],
        }
    return {"ranks": {"ranks": list(map(float, ranks))}} | found


# ---------------------------------------------------------------------- columns


def columns(penalty: float, seed: int = 0, *, width: int = 500, rank: int = 4) -> list[float]:
    """Return the column norms after training with a penalty, over the largest, in falling order.

    The factorization of Rajaraman et al. 2023's figure, d = k = 500 and r = 4, from a start in the
    range of the target: U stays there, so that r rows in a basis of it tell all column norms.

    Parameters
    ----------
    penalty : float
        λ.
    seed : int
    width : int
    rank : int
        r.

    Returns
    -------
    list of float
    """
    problem = factorization(np.diag([1.0, 0.9, 0.8, 0.7][:rank]))
    run = compression.group_lasso(
        problem, width, penalty=penalty, smoothing=1e-4, eta=0.05, num_steps=6000, rng=seed,
        record=(), record_every=6000,
    )  # fmt: skip
    norms = np.sort(run.column_norms)[::-1]
    return [float(n) for n in norms / norms[0]]
