"""The map of where Theorem 2's inequality fails: measured in cells, read for its findings."""

__all__: list[str] = []
