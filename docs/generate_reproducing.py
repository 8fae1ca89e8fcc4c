"""Write the results on the page about reproducing the paper, from results of `dlnlab reproduce`.

    dlnlab reproduce all --out results
    python docs/generate_reproducing.py results
    python docs/generate_reproducing.py            # from the data alone

Verdicts and every measured quantity of every seed go to ``docs/data/experiments.json``, figures to
``docs/figures/experiments``; experiments and readings that a directory does not hold keep their
old data.  The page's blocks, between marks such as ``<!-- findings -->`` and ``<!-- end
-->``, are made from the data alone, so that every measured number on the page is one of theirs.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlnlab import experiments, report
from dlnlab.experiments import study
from dlnlab.experiments.study import Study, judged
from dlnlab.experiments.wording import number, numbers

DOCS = Path(__file__).parent
DATA = DOCS / "data" / "experiments.json"
PAGE = DOCS / "reproducing.md"
FIGURES = DOCS / "figures" / "experiments"
KEPT = ("command", "finished", "seconds", "versions", "platform", "processors", "blas")
"""What the page's data keep of a manifest; the settings are with the verdict."""

OF_READINGS = ("command", "finished", "versions", "blas")
"""What is kept for each reading besides, with the seconds that each seed of it took: readings are
not all run by one command."""

DRAWN_TOO = {"fig21": "adam"}
"""Readings that are not the closest one and yet have a figure, where they were run alone."""

DPI = 200

EXPERIMENTS = {name: e for name, e in experiments.EXPERIMENTS.items() if not e.ours}
"""The paper's."""

Data = Mapping[str, Mapping[str, Any]]


def main(results: Path | None = None) -> None:
    """Judge anew, draw the figures of a directory of results, and rewrite data and page."""
    data: dict[str, Any] = json.loads(DATA.read_text("utf-8")) if DATA.is_file() else {}
    data = {name: judged_anew(entry) for name, entry in data.items()}
    for name in EXPERIMENTS if results else ():
        if (results / name / f"{name}.json").is_file():
            new, again = collected(results / name, name)
            data[name] = joined(data.get(name), new)
            if data[name]["study"]["shown"] in new["study"]["readings"]:  # or it is drawn already
                draw(again)
            elif list(new["study"]["readings"]) == [DRAWN_TOO.get(name)]:
                draw(again, f"-{DRAWN_TOO[name]}")
    data = {name: data[name] for name in EXPERIMENTS if name in data}
    DATA.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), data), encoding="utf-8")


def collected(folder: Path, name: str) -> tuple[dict[str, Any], Study]:
    """Judge an experiment from the runs kept in its folder; return that, and how it ran.

    Data that the runs needed are not read again.
    """
    kept_with = EXPERIMENTS[name].kept_with
    told = json.loads((folder / f"{name}.json").read_text("utf-8"))
    manifest = json.loads((folder / f"{name}-manifest.json").read_text("utf-8"))
    again = study(
        EXPERIMENTS[name],
        list(told["readings"]),
        seeds=told["seeds"],
        quick=told["quick"],
        executor="serial",
        path=folder.parent / kept_with / f"{kept_with}.jsonl",
        data=manifest["parameters"]["data"],
    )
    kept = {k: manifest[k] for k in KEPT if k in manifest}
    took = manifest["parameters"].get("runs", {}).get("seconds", {})
    each = {
        reading: {k: kept[k] for k in OF_READINGS if k in kept} | {"seconds": took.get(reading)}
        for reading in told["readings"]
    }
    return {"study": report.study_json(again), "manifest": kept | {"readings": each}}, again


def draw(results: Study, suffix: str = "") -> None:
    """Save the figure of an experiment where a page looks for it."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    results.plot().savefig(FIGURES / f"{results.experiment.name}{suffix}.png", dpi=DPI)


def joined(old: Mapping[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Keep the readings that were not run again."""
    if old is None:
        return new
    order = EXPERIMENTS[new["study"]["name"]].settings
    both = old["study"]["readings"] | new["study"]["readings"]
    readings = {name: both[name] for name in order if name in both}
    each = old["manifest"].get("readings", {}) | new["manifest"]["readings"]
    manifest = new["manifest"] | {"readings": {name: each[name] for name in order if name in each}}
    return judged_anew({"study": new["study"] | {"readings": readings}, "manifest": manifest})


def judged_anew(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the values that the data hold by the yardsticks as they are."""
    told = entry["study"]
    experiment = EXPERIMENTS[told["name"]]
    configurations, results = {}, {}
    for name, reading in told["readings"].items():
        seeds = range(max(map(len, reading["values"].values()), default=0))
        configurations[name] = [reading["settings"] | {"seed": seed} for seed in seeds]
        results[name] = [
            {"values": {q: _float(v[seed]) for q, v in reading["values"].items()}, "curves": {}}
            for seed in seeds
        ]
    again = judged(experiment, configurations, results, quick=told["quick"])
    return {"study": report.study_json(again), "manifest": entry["manifest"]}


def _float(value: float | str | None) -> float:
    """A number of the data: JSON has neither NaN nor infinities."""
    return math.nan if value is None else float(value)


# ---------------------------------------------------------------------- the page


def page(text: str, data: Data) -> str:
    """Return the page with its blocks rewritten."""
    studies = [entry["study"] for entry in data.values()]
    blocks = {
        "overview": report.overview_markdown(studies),
        "findings": findings(data),
        "made": made(data),
        "figures": report.experiments_markdown(studies, figures="figures/experiments"),
    }
    for name, body in blocks.items():
        pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        block = f"<!-- {name} -->\n{body.rstrip()}\n<!-- end -->"
        text = pattern.sub(lambda found, block=block: block, text)
    return text


def made(data: Data) -> str:
    """Say when each experiment was run, and with how many seeds."""
    dates: dict[str, list[str]] = {}
    for name, entry in data.items():
        told = f"{name} ({entry['study']['seeds']})"
        dates.setdefault(entry["manifest"]["finished"][:10], []).append(told)
    ran = "; ".join(f"on {date} {', '.join(names)}" for date, names in sorted(dates.items()))
    return (
        f"Run, with the number of seeds in brackets: {ran}. Declared and not run: "
        f"{_not_run(data)}. Every measured number is in [experiments.json](data/experiments.json)."
    )


def _not_run(data: Data) -> str:
    """The readings of which the data hold nothing."""
    missing = {
        name: [r for r in EXPERIMENTS[name].settings if r not in entry["study"]["readings"]]
        for name, entry in data.items()
    }
    told = [f"{name} ({', '.join(names)})" for name, names in missing.items() if names]
    return ", ".join(told) or "nothing"


class Seen:
    """What the data hold, as text with three digits."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __call__(self, name: str, reading: str, quantity: str) -> str:
        """Return a quantity, seed by seed."""
        return numbers(self.values(name, reading, quantity))

    def values(self, name: str, reading: str, quantity: str) -> list[float]:
        """Return a quantity of every seed."""
        kept = self.data[name]["study"]["readings"][reading]["values"]
        return [_float(value) for value in kept[quantity]]

    def mean(self, name: str, reading: str, quantity: str) -> str:
        """Return the mean of a quantity over the seeds."""
        values = self.values(name, reading, quantity)
        return number(sum(values) / len(values))

    def published(self, name: str, quantity: str) -> str:
        """Return a published number."""
        kept = {y.quantity: y for y in EXPERIMENTS[name].yardsticks if y.published is not None}
        return number(kept[quantity].published or math.nan)


def _lost(judged: Mapping[str, Any]) -> bool:
    """Whether every run of a reading came to no number."""
    return bool(judged["values"]) and set(judged["values"]) == {None}


def findings(data: Data) -> str:
    """Eight findings, each in two lines, with their numbers from the data."""
    seen = Seen(data)
    paper = [entry["study"]["readings"].get("paper") for entry in data.values()]
    descents = [reading for reading in paper if reading and "eta" in reading["settings"]]
    lost = sum(any(_lost(j) for j in reading["judgements"]) for reading in descents)
    two = "L = 2: loss_of_compression"
    folds = f"u1 … u{len(seen.values('fig6-movielens', 'folds', 'rmse: compressed'))}"
    items = (
        (
            "The stated step does not fit the stated loss.",
            f"With η = 10 (5, 0.5) on the sum of the loss {lost} of {len(descents)} experiments of "
            "descent diverge; as a step on the mean of the loss they converge.",
        ),
        (
            "The targets of Figures 3, 5, 6, 14 and 19 have the largest singular values.",
            f"Figure 5 starts at ½ MSE {seen.published('fig5', 'start_half_mse')}: with that "
            f"target at {seen('fig5', 'top', 'start_half_mse')}, with the committed one at "
            f"{seen('fig5', 'code', 'start_half_mse')}.",
        ),
        (
            "The plots of Figures 9 and 11 fit d = 500, not the stated 100.",
            f"They end at 44 and 20; the committed target ends at "
            f"{seen.mean('fig9', 'figs', 'largest')} and {seen.mean('fig9', 'figs', 'smallest')} "
            f"with d = 500, and at {seen.mean('fig9', 'code', 'largest')} and "
            f"{seen.mean('fig9', 'code', 'smallest')} with d = 100.",
        ),
        (
            "At depth 2 the compressed network is worse only because it starts at 1, not at ε.",
            f"Final error, compressed over original: {seen('fig19', 'code', two)} as committed, "
            f"{seen('fig19', 'matched', two)} from the same ε, the reverse of Figure 19.",
        ),
        (
            "α = 1 is mostly not too small (Figure 15).",
            f"The text says that all α ≤ 1 are; the plot crosses at α = "
            f"{seen.published('fig15', 'crossing')}, our runs at "
            f"{seen('fig15', 'top', 'crossing')}.",
        ),
        (
            "Close singular values are not always fitted one after the other.",
            "With the ten largest values as target (Figure 9) a value has reached the shares "
            f"{seen('fig9', 'top', 'overlap')} of its target when the one before it is fitted; "
            f"with spread values, {seen('fig9', 'code', 'overlap')}.",
        ),
        (
            "The MovieLens plot agrees with training on a fifth of the ratings, not on four.",
            f"It levels off at ½ MSE {seen.published('fig6-movielens', 'half_mse: compressed')}: "
            f"from a fifth {seen('fig6-movielens', 'fifth', 'half_mse: compressed')}, from four "
            f"fifths {seen('fig6-movielens', 'code', 'half_mse: compressed')}.",
        ),
        (
            "On MovieLens the network is as good as least squares of rank one.",
            f"RMSE on {folds}: network {seen.mean('fig6-movielens', 'folds', 'rmse: compressed')}, "
            f"rank one {seen.mean('fig6-movielens', 'folds', 'rmse: rank one')}; a number for each "
            f"user and item {seen.mean('fig6-movielens', 'folds', 'rmse: biases')}, with factors "
            f"{seen.mean('fig6-movielens', 'folds', 'rmse: biases + factors')}.",
        ),
    )
    return "\n".join(f"{k}. **{head}** {text}" for k, (head, text) in enumerate(items, 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
