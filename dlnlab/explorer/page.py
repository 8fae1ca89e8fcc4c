"""The page of the explorer: its sliders in HTML, and the files that it needs beside them."""

from __future__ import annotations

import math
from dataclasses import asdict
from importlib import resources

from dlnlab.explorer.state import PARAMETERS, Shown, Slider
from dlnlab.report.page import escape, page, tag, wide

__all__ = ["KEY", "STEPS", "files"]

KEY = (
    "Solid: original; dashed: compressed; dotted: the targets; upright marks: fitting times; grey: "
    "the original network's largest singular value beyond the rank. The margin is ‖W − M*‖² − "
    "‖W̃ − M*‖², logarithmic on both sides of zero: below zero the compressed network is the "
    "farther one, within the grey band the numerical error hides the sign, and the green line is "
    "the refined theorem's bound."
)

STEPS = 80
"""Of a logarithmic slider."""


def files() -> dict[str, tuple[str, bytes]]:
    """Return type and content of everything the page is made of, by its path in the address.

    Returns
    -------
    dict
    """
    folder = resources.files("dlnlab.explorer")
    return {
        "/": ("text/html", _html().encode()),
        "/explorer.css": ("text/css", folder.joinpath("explorer.css").read_bytes()),
        "/explorer.js": ("text/javascript", folder.joinpath("explorer.js").read_bytes()),
    }


def _html() -> str:
    sliders = "\n".join(
        _slider(name, parameter, asdict(Shown())[name]) for name, parameter in PARAMETERS.items()
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


def _slider(name: str, parameter: Slider, value: float) -> str:
    """Return one slider; a logarithmic one counts equal ratios, and has its ends beside them."""
    low, high, step = parameter.low, parameter.high, parameter.step
    if step:
        attributes = f'min="{low:g}" max="{high:g}" step="{step:g}" value="{value:g}"'
    else:
        at = STEPS * math.log(value / low) / math.log(high / low)
        attributes = f'max="{STEPS}" value="{at:.0f}" data-low="{low:g}" data-high="{high:g}"'
    return (
        f'<label for="{name}">{escape(parameter.label)}</label>'
        f'<input type="range" id="{name}" {attributes}>'
        f'<output for="{name}">{value:g}</output>'
    )
