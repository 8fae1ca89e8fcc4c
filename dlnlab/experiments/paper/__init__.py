"""The paper's figures and tables: a module each, found by `dlnlab.experiments.catalogue`."""

__all__: list[str] = []
