"""The digits of scikit-learn, at hand without a download.

They are real (the test set of UCI's "optical recognition of handwritten digits"), small, and lie in
scikit-learn's own package, so that nothing has to be fetched or shipped.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

from dlnlab.data.images import Images, ImageSet

__all__ = ["HELD_OUT", "check_installed", "digits"]

HELD_OUT = 360
"""Images at the end that are held out, a fifth; their owners do not split them."""


def check_installed() -> None:
    """Raise an error unless the digits are at hand.

    Raises
    ------
    ImportError
        If scikit-learn is not installed (extra ``data``).
    """
    try:
        import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(
            "the digits are scikit-learn's; install it with pip install 'dlnlab[data]'"
        ) from error


def digits() -> ImageSet:
    """Return scikit-learn's 1797 grey images of handwritten digits, 8 × 8, pixels from 0 to 16.

    The first 1437 are to learn from, the last 360 held out: the split is ours.

    Returns
    -------
    ImageSet

    Raises
    ------
    ImportError
        If scikit-learn is not installed (extra ``data``).
    """
    check_installed()
    found = import_module("sklearn.datasets").load_digits()
    pixels, labels = found.images.astype(np.uint8), found.target
    parts = (slice(None, -HELD_OUT), slice(-HELD_OUT, None))
    train, test = (Images(pixels[part], labels[part], 16) for part in parts)
    return ImageSet("digits", train, test, tuple(map(str, range(10))))
