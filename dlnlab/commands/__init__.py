"""The commands of the command line, one module each: `add` declares its options, and names what
runs it.

A command's function takes the parsed options and returns an exit code.  It raises ``ValueError``,
``TypeError`` or ``OSError`` for what the user can mend, and `RunFailed` for a run that came to
nothing; `dlnlab.cli` turns these into one line each.
"""

__all__ = ["RunFailed"]


class RunFailed(Exception):
    """A run with good input that did not reach its end."""
