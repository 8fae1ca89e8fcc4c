"""Files that outlive a crash: written whole, locked, told apart by origin, read with care."""

__all__: list[str] = []
