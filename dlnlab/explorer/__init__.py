"""One small comparison that follows sliders: what can be chosen, what is shown, and the page.

`dlnlab.commands.explore` serves it.
"""

__all__: list[str] = []
