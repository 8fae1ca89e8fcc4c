"""What the mathematics is computed with: arrays on any device, checked arguments, spectra."""

__all__: list[str] = []
