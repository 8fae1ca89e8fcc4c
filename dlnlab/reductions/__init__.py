"""Exact reductions: a wide network, or a thin target, followed in far fewer dimensions."""

__all__: list[str] = []
