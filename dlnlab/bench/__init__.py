"""How fast the engine is: against a literal loop, against the authors' code, against the machine.

A row of the table is an `Workload`: the data of one problem, a start and a step size.  Before
anything is timed the engine and a literal loop take the same steps and must agree to a bound; then
they are timed in alternation.  `growth` measures how time and memory grow with each size.
"""

from dlnlab.bench.growth import AXES, grow
from dlnlab.bench.measurement import Disagreement, Result, measure
from dlnlab.bench.rows import ROWS

__all__ = ["AXES", "ROWS", "Disagreement", "Result", "grow", "measure"]
