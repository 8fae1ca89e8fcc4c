"""Gradient descent: the loop, its kernels, what it records and keeps, and the memory it takes."""

__all__: list[str] = []
