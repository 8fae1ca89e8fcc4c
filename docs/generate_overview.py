"""Draw the picture of the first page and of the README.

    python docs/generate_overview.py

A wide and a compressed network of three layers learn the same matrix under gradient flow: singular
values rise one after the other, those of the compressed network earlier, and its error is smaller
at all times.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

import dlnlab

PICTURE = Path(__file__).parent / "figures" / "overview.png"
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # Okabe and Ito's, told apart by all readers
TARGETS = (3.0, 2.0, 1.0)


def draw(c: dlnlab.Comparison) -> Figure:
    """Return singular values and errors of both networks of a comparison."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    modes, errors = figure.subplots(1, 2)
    for i, colour in enumerate(COLOURS):
        modes.plot(c.times, c.original.singular_values[:, i], color=colour)
        modes.plot(c.times, c.compressed.singular_values[:, i], color=colour, linestyle="--")
        modes.annotate(f"$\\sigma_{i + 1}$", (1.01, TARGETS[i]), xycoords=("axes fraction", "data"))
    modes.set(ylabel="singular values", title="Singular values rise one after the other")
    errors.plot(c.times, c.original.errors, color="black", label="wide network")
    errors.plot(c.times, c.compressed.errors, color="black", linestyle="--", label="compressed")
    errors.set(ylabel=r"$\|W - M^*\|_F$", title="The compressed network is ahead")
    errors.legend(frameon=False)
    end = 1.4 * float(c.fitting_times.original[-1])
    for ax in (modes, errors):
        ax.set(xlabel="time $t$", xlim=(0, end))
        ax.spines[["top", "right"]].set_visible(False)
        ax.title.set_size("medium")
    return figure


def main() -> None:
    """Draw it."""
    M = dlnlab.random_target((60, 60), rank=3, rng=0, singular_values=list(TARGETS))
    c = dlnlab.compare(M, r_hat=3, depth=3, eps=0.1, rng=0)
    draw(c).savefig(PICTURE, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
