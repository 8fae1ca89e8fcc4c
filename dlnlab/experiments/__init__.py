"""The paper's matrix-recovery experiments, each in its readings, with yardsticks declared before.

`run` puts any networks side by side on a problem of your own; `study` carries out one of the
paper's `EXPERIMENTS`, or one that you declare as an `Experiment`, and judges it.
"""

from dlnlab.experiments.catalogue import EXPERIMENTS
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.recovery import Network, run
from dlnlab.experiments.study import Study, study

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Network",
    "Panel",
    "Study",
    "Yardstick",
    "run",
    "study",
]
