"""What attacks any claim: random instances, climbing searches, error bounds, tallies, pictures."""

__all__: list[str] = []
