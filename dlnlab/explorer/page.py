"""The page of the explorer: its sliders in HTML, and the files that it needs beside them."""

from __future__ import annotations

import math
from dataclasses import asdict
from importlib import resources

from dlnlab.explorer.state import PARAMETERS, Parameter, State
from dlnlab.report.page import escape, page, tag, wide

__all__ = ["files"]

KEY = (
    "Solid: original; dashed: compressed; dotted: the targets; upright marks: fitting times; grey: "
    "the original network's largest singular value beyond the rank. The margin is ‖W − M*‖² − "
    "‖W̃ − M*‖², logarithmic on both sides of zero: below zero the compressed network is the "
    "farther one, within the grey band the numerical error hides the sign, and the green line is "
    "the refined theorem's bound."
)


def files() -> dict[str, tuple[str, bytes]]:
    """Return type and content of everything the page is made of, by its path in the address."""
    folder = resources.files("dlnlab.explorer")
    return {
        "/": ("text/html", _html().encode()),
        "/explorer.css": ("text/css", folder.joinpath("explorer.css").read_bytes()),
        "/explorer.js": ("text/javascript", folder.joinpath("explorer.js").read_bytes()),
    }


def _html() -> str:
    sliders = "\n".join(
        _slider(name, parameter, asdict(State())[name]) for name, parameter in PARAMETERS.items()
    )
    return page(
        "A wide and a compressed network",
        [
            '<link rel="stylesheet" href="explorer.css">',
            f'<form id="sliders">\n{sliders}\n</form>',
            '<p id="message" role="status"></p>',
            '<div id="charts"></div>',
            tag("p", escape(KEY)),
            wide('<div id="outcome"></div>'),
            '<p><button type="button" id="button" aria-expanded="false">Code</button></p>',
            '<pre id="code" hidden></pre>',
            '<script src="explorer.js"></script>',
        ],
    )


def _slider(name: str, parameter: Parameter, value: float) -> str:
    """Return one slider; a logarithmic one has decades for its own values."""
    numbers = (parameter.low, parameter.high, value)
    low, high, at = map(math.log10, numbers) if parameter.log else numbers
    attributes = f'min="{low:.12g}" max="{high:.12g}" value="{at:.12g}" step="{parameter.step:g}"'
    scale = ' data-log="1"' if parameter.log else ""
    return (
        f'<label for="{name}">{escape(parameter.label)}</label>'
        f'<input type="range" id="{name}" {attributes}{scale}>'
        f'<output for="{name}">{value:g}</output>'
    )
