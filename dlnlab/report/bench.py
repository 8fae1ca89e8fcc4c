"""Measurements as text: lines for the terminal, Markdown for the docs, HTML for a page.

All of it is made from the plain data that ``dlnlab bench --json`` writes, so that a stored run can
be told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab import terminal

__all__ = [
    "ALONE_HEADER",
    "FLOW_HEADER",
    "GROWTH_HEADER",
    "LEAST",
    "ROW_HEADER",
    "SUITE_HEADER",
    "WIDTHS",
    "alone_cells",
    "duration",
    "flow_cells",
    "growth_cells",
    "line",
    "machine_lines",
    "markdown",
    "row_cells",
    "suite_cells",
]

ROW_HEADER = (
    "row",
    "µs per step",
    "reference µs",
    "ratio",
    "target",
    "met",
    "of limit",
    "set-up",
    "runs",
)
GROWTH_HEADER = ("size", "time", "of limit", "peak memory")
ALONE_HEADER = ("row", "CPU µs per step", "cannot be saved", "share", "reference", "ratio")
FLOW_HEADER = ("who", "seconds", "compilation", "steps")
SUITE_HEADER = ("claim", "part", "instances per CPU second", "planned", "CPU minutes")
WIDTHS = (31, 27, 27, 21, 7, 4, 9, 9, 7)
LEAST = (14, 6, 9, 6, 6, 3, 6, 6, 7)
"""Widths of columns where the terminal has room for them, and of those that are narrow."""


def row_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the table says of one row, with quartiles in brackets.

    Parameters
    ----------
    row : mapping

    Returns
    -------
    tuple of str
    """
    target, met = row["target"], row["met"]
    name = row["row"] if row["batch"] == 1 else f"{row['row']} ×{row['batch']}"
    return (
        name,
        _sample(row["engine"]),
        _sample(row["reference"]),
        _sample(row["ratio"]),
        "–" if target is None else f"≥ {target:g}",
        {True: "yes", False: "no", None: "–"}[met],
        f"{_short(100 * row['fraction'])} %",
        f"{row['setup']:.3g} ms" if row["setup"] else "in time",
        row["formulation"],
    )


def line(cells: Sequence[str]) -> str:
    """Return a row for the terminal, in so many lines as it takes.

    Parameters
    ----------
    cells : sequence of str

    Returns
    -------
    str
    """
    width = terminal.widths(WIDTHS[: len(cells)], LEAST[: len(cells)])
    return "\n".join(terminal.row(cells, width, left=len(cells)))


def growth_cells(growth: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the points of an axis, and its exponents in the last line.

    Parameters
    ----------
    growth : mapping

    Returns
    -------
    list[tuple[str, ...]]
    """
    sizes, seconds, peaks = growth["values"], growth["seconds"], growth["bytes"]
    cells = [
        (f"{growth['symbol']} = {size:,}", duration(time), _share(limit, time), _bytes(peak))
        for size, time, limit, peak in zip(sizes, seconds, growth["limits"], peaks, strict=True)
    ]
    powers = (growth["time_exponent"], growth["memory_exponent"])
    time, memory = ("–" if p is None else f"{growth['symbol'][:1]}^{p:.2f}" for p in powers)
    return [*cells, ("fitted to the upper half", time, "–", memory)]


def alone_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the table says of a row on one thread.

    Parameters
    ----------
    row : mapping

    Returns
    -------
    tuple of str
    """
    least, engine = row["least"], row["engine"]
    return (
        row["row"],
        _sample(engine),
        row["least_name"] + ("" if least is None else f" {_sample(least)}"),
        _share(None if least is None else least["median"], engine["median"]),
        _sample(row["reference"]),
        _sample(row["ratio"]),
    )


def flow_cells(flow: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the engine's line and those of its peers.

    Parameters
    ----------
    flow : mapping

    Returns
    -------
    list[tuple[str, ...]]
    """
    own = f"{_sample(flow['engine'])}, {_short(flow['cpu'])} of CPU"
    cells: list[tuple[str, ...]] = [
        ("compare, both flows and bounds", own, "–", f"{flow['steps']:,}")
    ]
    for peer in flow["peers"]:
        name = f"diffrax, the network {peer['network']}"
        steps = f"{peer['steps']:,}"
        cells.append((name, _sample(peer["time"]), f"{_short(peer['compilation'])} s", steps))
    if not flow["peers"]:
        cells.append(("an explicit method, at steps of 6/λ", "–", "–", f"{flow['limited']:,.0f}"))
    return cells


def suite_cells(rates: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a line for each part of the attacks.

    Parameters
    ----------
    rates : sequence of mappings

    Returns
    -------
    list[tuple[str, ...]]
    """
    return [
        (
            rate["claim"],
            rate["part"],
            _short(rate["per_second"]),
            f"{rate['planned']:,}",
            _short(rate["total"] / 60),
        )
        for rate in rates
        if rate["planned"] > 1
    ]


def _suites(rates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table, with the parts that take longest first, and the sum."""
    slowest = sorted(rates, key=lambda rate: -rate["total"])
    total = sum(rate["total"] for rate in rates) / 60
    return [
        _markdown_table(SUITE_HEADER, suite_cells(slowest)),
        f"All parts: {total:,.0f} minutes of one processor, {total / 2:,.0f} on two cores.",
    ]


def machine_lines(machine: Mapping[str, Any]) -> list[str]:
    """Describe the machine, and what it reached in this run.

    Parameters
    ----------
    machine : mapping

    Returns
    -------
    list of str
    """
    gemm = ", ".join(f"{size}: {rate / 1e9:.3g}" for size, rate in machine["gemm"].items())
    read = ", ".join(f"{size}: {rate / 1e9:.3g}" for size, rate in machine["read"].items())
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = " to ".join(f"{value:.1f}" for value in machine["load"])
    cores = "1 core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    return [
        f"{machine['processor']}, {cores}, load {load}",
        f"BLAS: {machine['blas']}; {versions}",
        f"Products of n × n matrices, Gflop/s, one thread: {gemm}",
        f"Reading, GB/s, one thread: {read}",
    ]


def markdown(record: Mapping[str, Any]) -> str:
    """Return the machine, the table of rows and the tables of growth.

    Parameters
    ----------
    record : mapping
        What ``dlnlab bench --json`` writes.

    Returns
    -------
    str
    """
    parts = ["\n".join(f"- {text}" for text in machine_lines(record["machine"]))]
    if record["rows"]:
        cells = [row_cells(row) for row in record["rows"]]
        parts.append(_markdown_table(ROW_HEADER, cells))
        agreements = (row["agreement"] for row in record["rows"])
        worst = max(agreements, key=lambda one: one["deviation"] / one["bound"])
        parts.append(
            f"Reference: {record['rows'][0]['reference_name']}. Largest deviation of the engine "
            f"from the literal loop: {worst['deviation']:.1e} (bound {worst['bound']:.1e})."
        )
    if record.get("alone"):
        cells = [alone_cells(row) for row in record["alone"]]
        parts.append(_markdown_table(ALONE_HEADER, cells))
    for flow in record.get("flows", ()):
        parts += [f"**{flow['title']}**", _markdown_table(FLOW_HEADER, flow_cells(flow))]
    if record.get("suites"):
        parts += _suites(record["suites"])
    for growth in record["growth"]:
        unit = "a step" if growth["per_step"] else "a call"
        parts.append(f"**{growth['title']}** (processor time of {unit})")
        parts.append(_markdown_table(GROWTH_HEADER, growth_cells(growth)))
    return "\n\n".join(parts)


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _sample(sample: Mapping[str, Any]) -> str:
    return f"{_short(sample['median'])} [{_short(sample['low'])}, {_short(sample['high'])}]"


def _short(value: float) -> str:
    """Three digits, and none lost before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> duration(2.5e-4), duration(0.5), duration(3.0)
    ('250 µs', '500 ms', '3 s')
    """
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{_short(seconds * factor)} {unit}"
    return f"{_short(1e6 * seconds)} µs"


def _share(limit: float | None, seconds: float) -> str:
    return "–" if limit is None else f"{_short(100 * limit / seconds)} %"


def _bytes(count: int | None) -> str:
    return "–" if count is None else f"{count / 2**20:,.1f} MiB"
