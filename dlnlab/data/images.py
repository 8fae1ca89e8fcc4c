"""Labelled images, split into those to learn from and those held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["ImageSet", "Images"]


@dataclass(frozen=True, eq=False)
class Images:
    """A set of images with their labels.

    Parameters
    ----------
    pixels : array of uint8, shape (n, height, width) or (n, height, width, channels)
    labels : array of int, shape (n,)
        The class of each image, counted from 0.
    brightest : int
        The largest value that a pixel may have, as 255.

    Raises
    ------
    TypeError, ValueError
        If the arrays do not fit together, or a value is out of range.
    """

    pixels: np.ndarray
    labels: np.ndarray
    brightest: int

    def __post_init__(self) -> None:
        checks.fields(self)
        checks.integer("brightest", self.brightest, 1, 255)
        _check_pixels(self.pixels, self.brightest)
        _check_labels(self.labels, len(self.pixels))
        object.__setattr__(self, "labels", self.labels.astype(np.int64))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width) or (height, width, channels)."""
        return self.pixels.shape[1:]

    def scaled(self, like: Array | None = None) -> tuple[Array, Array]:
        """Return the images with pixels between 0 and 1, and their labels.

        Parameters
        ----------
        like : array, optional
            Array that determines library, device and dtype of the images; NumPy's float64 by
            default.

        Returns
        -------
        X : array, shape (n, *shape)
        y : array of int64, shape (n,)
            In the same library and on the same device.

        Raises
        ------
        TypeError, ValueError
            If `like` is no floating-point array, or the images would not fit in memory.
        """
        reference = np.empty(0) if like is None else checks.like("like", like)
        item = np.dtype(arrays.dtype_name(reference)).itemsize
        checks.fits_in_memory(
            f"`like`: {len(self)} images of shape {self.shape}",
            item * self.pixels.size,
            reference,
            remedy="use single precision (like=numpy.float32(0))",
        )
        pixels = np.divide(self.pixels, self.brightest, dtype=f"float{8 * item}")
        return arrays.like(pixels, reference), arrays.like(self.labels, reference, keep_dtype=True)


def _check_pixels(pixels: np.ndarray, brightest: int) -> None:
    requirement = "an array of uint8 of shape (n, height, width) or (n, height, width, channels)"
    if pixels.dtype != np.uint8 or isinstance(pixels, np.ma.MaskedArray):
        raise TypeError(f"`pixels` must be {requirement}, got {checks.describe(pixels)}")
    if pixels.ndim not in (3, 4) or 0 in pixels.shape:
        raise ValueError(f"`pixels` must be {requirement}, not empty, got {pixels.shape}")
    if pixels.max() > brightest:
        raise ValueError(f"`pixels` must be at most {brightest}, got {pixels.max()}")


def _check_labels(labels: np.ndarray, count: int) -> None:
    requirement = f"an array of {count} integers >= 0, one for each image"
    if labels.dtype.kind not in "iu" or isinstance(labels, np.ma.MaskedArray):
        raise TypeError(f"`labels` must be {requirement}, got {checks.describe(labels)}")
    if labels.shape != (count,) or labels.min() < 0:
        raise ValueError(f"`labels` must be {requirement}, got {checks.describe(labels)}")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A set of labelled images, as its owners split it.

    Parameters
    ----------
    name : str
    train : Images
        To learn from.
    test : Images
        Held out.
    classes : tuple of str
        What the labels stand for.

    Raises
    ------
    TypeError, ValueError
        If the parts have images of different shapes, or a label stands for nothing.
    """

    name: str
    train: Images
    test: Images
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        checks.fields(self)
        if self.train.shape != self.test.shape:
            raise ValueError(
                f"`test` must have images of the shape of `train`, {self.train.shape}, "
                f"got {self.test.shape}"
            )
        last = max(int(part.labels.max()) for part in (self.train, self.test))
        if last >= len(self.classes):
            raise ValueError(
                f"`classes` must name all labels up to {last}, got {len(self.classes)} names"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width) or (height, width, channels) of an image."""
        return self.train.shape
