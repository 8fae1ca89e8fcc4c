"""Experiments of our own: a module each, found by `dlnlab.experiments.catalogue`."""

__all__: list[str] = []
