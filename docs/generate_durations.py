"""Write the times that `dlnlab reproduce` estimates with, from what it left behind.

    python docs/generate_durations.py results [quick-results ...]

Every finished seed's time is in its file; `dlnlab/experiments/durations.json` gets the median over
the seeds of each reading, in units of `dlnlab.experiments.durations.calibration`, which is measured
here: run this on the machine that made the results, when it is as idle as it was then.  Readings
that none of the directories holds keep the time they had.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from dlnlab import campaigns
from dlnlab.campaigns import executors
from dlnlab.experiments import EXPERIMENTS, Experiment, durations

SEEDS = 20
"""Seeds that are looked for; no experiment has more by itself."""

FILE = Path(durations.__file__).with_name("durations.json")


def main(directories: list[Path]) -> None:
    """Bring the file up to date."""
    unit = unit_here()
    table = durations.known()
    for directory in directories:
        for experiment in EXPERIMENTS.values():
            for reading in experiment.settings:
                for quick in (False, True):
                    spent = times(experiment, reading, directory, quick=quick)
                    if spent:
                        entry = table.setdefault(experiment.name, {}).setdefault(reading, {})
                        units = statistics.median(spent) / unit
                        entry["quick" if quick else "full"] = float(f"{units:.3g}")
    kept = {
        name: {reading: table[name][reading] for reading in e.settings if reading in table[name]}
        for name, e in EXPERIMENTS.items()
        if name in table
    }
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def unit_here() -> float:
    """Measure the unit where `dlnlab reproduce` does, in a worker with one thread."""
    with executors.using("processes=1") as pool:
        return pool.submit(durations.calibration).result()


def times(experiment: Experiment, reading: str, directory: Path, *, quick: bool) -> list[float]:
    """Return the seconds of each seed that a directory holds."""
    folder, name = directory / experiment.name, experiment.name
    manifest = folder / f"{name}-manifest.json"
    known = manifest.is_file() and json.loads(manifest.read_text("utf-8"))["parameters"]
    data = known["data"] if known else ""
    configurations = experiment.configurations(reading, SEEDS, quick=quick, data=data)
    spent = campaigns.seconds(experiment.measure, configurations, folder / f"{name}.jsonl")
    return [seconds for seconds in spent if seconds is not None]


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
