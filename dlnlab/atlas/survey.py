"""The atlas of Theorem 2: where its plain inequality fails, and by how much.

The plain inequality ‖W(t) − M*‖² ≥ ‖W̃(t) − M*‖² is measured over L, ε^L/σ_r*, r̂ − r and d, under
gradient flow and under gradient descent up to and beyond the largest stable step, from random and
from near-worst starts.  One run serves every r̂, since only the compressed network depends on it.

What it is measured against.  The reduction (`validations.blocks`) leaves d − 2r directions in
which the wide network's singular value is exactly β^L, and splits W into a block B and these.  With
Lemma 1 for the block, σ_i(B) ≤ σ_i(W) ≤ σ̃_i ≤ σ_i* by dominance and ε^L ≤ σ_r*,

    ‖W − M*‖² − ‖W̃ − M*‖² ≥ (d − 2r) β^{2L} − (r̂ − r) β^{2L} = (d − r − r̂) β^{2L},

for d < 2r, without such directions, −(r̂ − r) β^{2L}.  This is the refined Theorem 2 with fewer
directions to pay for, of the compressed network's r̂ − r idle ones only those beyond d − r:

    ‖W − M*‖² ≥ ‖W̃ − M*‖² − (r̂ − max(r, d − r)) β^{2L},

and the paper's inequality for every r ≤ r̂ ≤ d − r.  `allowance` is the factor of β^{2L}.

What it is measured in.  Violations are fractions of ‖M*‖², as in the validation of Theorem 2: what
they would cost somebody who trusts the inequality.  Since they scale like ε^{2L}, the value of
ε^{2L}/‖M*‖² and the two bounds at the same time go with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.claims.theorem2 import allowance
from dlnlab.lab import blocks as wide
from dlnlab.lab import reduced
from dlnlab.lab.blocks import Blocks
from dlnlab.lab.reduced import BlockRun
from dlnlab.lab.suite import Profile, as_profile

__all__ = [
    "BEYOND_HALF",
    "EXTENTS",
    "MORE",
    "NEAR_THE_LIMIT",
    "PARTS",
    "SMALLEST",
    "SPECTRUM",
    "STEPS",
    "WIDTH",
    "Extent",
    "configurations",
    "measure",
]

SPECTRUM = (1.0, 0.5)
"""σ*: two modes, so that one is learned after the other."""

SMALLEST = ((1.0,), (1.0, 0.9))
"""σ* of the smallest cases, d = r̂ = 2 without and with a kernel, in which gradient descent departs
from the flow first."""

WIDTH = 6
"""d of the maps: 3r, so that r̂ runs through cases with r̂ ≤ d − r and cases beyond."""

STEPS = (0.5**6, 0.5**5, 0.5**4, 0.5**3, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96)
NEAR_THE_LIMIT = (0.97, 0.98, 0.99, 1.0, 1.02, 1.05, 1.1)
"""Step sizes in units of 2/(L σ_1*^{2−2/L})."""

BEYOND_HALF = (0.4, 0.5, 0.505, 0.51, 0.52, 0.53, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.96)
"""Step sizes of the smallest cases: the first that fails tends to a half as ε → 0."""

MORE = 4
"""How many times as many starts these cells have: few starts fail near the first such step."""


@dataclass(frozen=True)
class Extent:
    """The extent of a survey: how many starts, and which depths, ratios, widths and steps.

    Attributes
    ----------
    count : int
        Starts of each kind in a cell.
    depths : tuple of int
    ratios : tuple of float
        ε^L/σ_r*.
    widths : tuple of int
        d of the part that follows the width.
    steps : tuple of float
    descent_depths : tuple of int
    descent_ratios : tuple of float
    small_ratios : tuple of pairs of int and tuple of float
        L and ε^L/σ_r* of the smallest cases.
    """

    count: int
    depths: tuple[int, ...]
    ratios: tuple[float, ...]
    widths: tuple[int, ...]
    steps: tuple[float, ...]
    descent_depths: tuple[int, ...]
    descent_ratios: tuple[float, ...]
    small_ratios: tuple[tuple[int, tuple[float, ...]], ...]


_RATIOS = tuple(float(10 ** (k / 2)) for k in range(-6, 4))
_WIDTHS = (3, 4, 5, 6, 8, 12, 16, 32, 100, 1000, 10_000)
_SMALL = ((2, (1e-2, 1e-4, 1e-6, 1e-8, 1e-12, 1e-16)), (3, (1e-2, 1e-3, 1e-4, 1e-5)), (4, (1e-2,)))
_STEPS = STEPS + NEAR_THE_LIMIT
_DEV = Extent(40, (2, 3, 4, 5), _RATIOS, _WIDTHS, _STEPS, (2, 3, 4), (0.1, 0.01), _SMALL)
EXTENTS = {
    "ci": Extent(
        12,
        (2, 3, 4, 5),
        (0.01, 0.1, 1.0, 10.0),
        (3, 4, 6, 32, 1000),
        (0.5**5, 0.5**4, 0.5**3, 0.25, 0.5, 0.8, 0.9, 0.96, 0.99, 1.05),
        (2, 3),
        (0.1,),
        ((2, (1e-2, 1e-8)), (3, (1e-2,))),
    ),
    "dev": _DEV,
    "hunt": Extent(1000, *(getattr(_DEV, name) for name in list(vars(_DEV))[1:])),
}
"""The parts of the atlas by the name of the profile."""

PARTS = ("map", "full", "width", "descent", "smallest", "limit")
"""The map and the row of targets without a kernel, what follows the width and its limit, gradient
descent and its smallest cases."""


def configurations(profile: Profile | str = "ci", seed: int = 0) -> list[dict[str, Any]]:
    """Return the configurations of the atlas, for `measure`.

    Parameters
    ----------
    profile : Profile or str
        "ci", "dev" or "hunt".
    seed : int

    Returns
    -------
    list of dict
        Each with "part" (one of `PARTS`), "depth", "ratio" (ε^L/σ_r*), "d", "spectrum", "r_hats",
        "starts", "count", "step" (None for the flow) and its own "seed".

    Raises
    ------
    ValueError
        If there is no such profile.
    """
    extent = EXTENTS[as_profile(profile).name]
    rank = len(SPECTRUM)
    every = range(rank, WIDTH + 1)
    found = []
    for depth in extent.depths:
        for ratio in extent.ratios:
            for starts in ("haar", "turned"):
                found.append(_cell("map", depth, ratio, WIDTH, every, starts))
                found.append(_cell("full", depth, ratio, rank, [rank], starts))
    for depth in extent.depths[:2]:
        for d in extent.widths:
            r_hats = {rank, d - rank, d - rank + 1, d}
            found.append(_cell("width", depth, 1e-2, d, [n for n in r_hats if n >= rank], "haar"))
        found.append(_cell("limit", depth, 1e-2, 2 * rank, [2 * rank - 1, 2 * rank], "quarter"))
    for depth in extent.descent_depths:
        for ratio in extent.descent_ratios:
            for step in extent.steps:
                found.append(_cell("descent", depth, ratio, WIDTH, every, "haar", step))
    for depth, ratios in extent.small_ratios:
        for ratio in ratios:
            for spectrum in SMALLEST:
                for step in BEYOND_HALF:
                    where = (depth, ratio, 2, [len(spectrum)], "haar", step, spectrum)
                    found.append(_cell("smallest", *where))
    return [cell | {"count": _count(extent, cell), "seed": _seed(seed, cell)} for cell in found]


def _cell(
    part: str,
    depth: int,
    ratio: float,
    d: int,
    r_hats: Iterable[int],
    starts: str,
    step: float | None = None,
    spectrum: Sequence[float] = SPECTRUM,
) -> dict[str, Any]:
    return {
        "part": part,
        "depth": depth,
        "ratio": ratio,
        "d": d,
        "spectrum": list(spectrum),
        "r_hats": sorted(r_hats),
        "starts": starts,
        "step": step,
    }


def _count(extent: Extent, cell: Mapping[str, Any]) -> int:
    if cell["part"] == "limit":
        return 1  # a single start, nothing random
    return extent.count * (MORE if cell["part"] == "smallest" else 1)


def _seed(seed: int, cell: Mapping[str, Any]) -> int:
    """One seed for each part, depth and width: rows of the atlas compare the same starts."""
    entropy = [seed, PARTS.index(cell["part"]), cell["depth"], cell["d"]]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


@campaigns.task("dlnlab.validations.atlas.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run one configuration and measure the inequality on every start, for every r̂.

    Parameters
    ----------
    configuration : mapping
        As from `configurations`.

    Returns
    -------
    dict
        "unit": ε^{2L}/‖M*‖².  "converged": for each start, whether both networks fitted the target;
        of a descent only those are judged.  "ahead", "ahead_error": by how much a wide singular
        value was ahead of the compressed one at most, over σ_1*, for each start judged.
        "judged": one dict for each r̂, lists with an entry for each start judged: "violation" (of
        the record that is worst by violation − error; negative where the inequality held),
        "error", "residual" (β^{2L}), "over" (the largest violation beyond `allowance` times β^{2L}
        and error), all over ‖M*‖²; "time"; "late", whether the wide network had fitted the target.

    Raises
    ------
    ValueError
        If the kind of start is not known or too wide to be formed.
    """
    c = configuration
    eps = (c["ratio"] * c["spectrum"][-1]) ** (1 / c["depth"])
    blocks = wide.draw(c["starts"], c["count"], c["d"], c["spectrum"], c["depth"], eps, c["seed"])
    if c["step"] is None:
        run = reduced.flow(blocks)
        judged = np.ones(c["count"], dtype=bool)
    else:
        run = reduced.descend(blocks, c["step"] * wide.stable_step(blocks), c["seed"])
        judged = run.converged()
    ahead, error = (part[:, judged] / blocks.spectrum[0] for part in run.ahead())
    k, columns = np.argmax(ahead - error, axis=0), np.arange(judged.sum())
    return {
        "unit": blocks.start**2 / _size(blocks),
        "converged": run.converged().tolist(),
        "ahead": ahead[k, columns].tolist(),
        "ahead_error": error[k, columns].tolist(),
        "judged": [_judge(run, r_hat, judged) for r_hat in c["r_hats"]],
    }


def _size(blocks: Blocks) -> float:
    return float(np.sum(blocks.spectrum**2))


def _judge(run: BlockRun, r_hat: int, judged: np.ndarray) -> dict[str, Any]:
    """The worst record of every start that is judged, for one r̂."""
    size, blocks = _size(run.blocks), run.blocks
    violation = -run.margin(r_hat)[:, judged] / size
    error = run.margin_error(r_hat)[:, judged] / size
    residual = run.residual**2 / size
    allowed = allowance(r_hat, blocks.spectrum.size, blocks.d) * residual
    k, columns = np.argmax(violation - error, axis=0), np.arange(judged.sum())
    return {
        "r_hat": r_hat,
        "violation": violation[k, columns].tolist(),
        "error": error[k, columns].tolist(),
        "time": run.times[k].tolist(),
        "late": (run.times[k] >= run.fitted_at()[judged]).tolist(),
        "residual": residual[k].tolist(),
        "over": np.max(violation - error - allowed[:, None], axis=0).tolist(),
    }
