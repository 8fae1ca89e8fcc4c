"""Images read as matrices of brightness, by the library that writes figures."""

from __future__ import annotations

from typing import BinaryIO

import matplotlib.image
import numpy as np

__all__ = ["RGB", "brightness"]

RGB = (0.2126, 0.7152, 0.0722)
"""What red, green and blue add to the luminance (ITU-R BT.709)."""


def brightness(file: BinaryIO) -> np.ndarray:
    """Return the brightness of a PNG image, shape (height, width), from 0 to 1.

    What is transparent is taken as it is.

    Parameters
    ----------
    file : binary file

    Returns
    -------
    array, shape (height, width)
    """
    pixels = np.asarray(matplotlib.image.imread(file, format="png"), dtype=float)
    if pixels.ndim == 2:
        return pixels
    return pixels[..., :3] @ np.array(RGB) if pixels.shape[-1] >= 3 else pixels[..., 0]
