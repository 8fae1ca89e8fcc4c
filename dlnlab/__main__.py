"""Run the command line as ``python -m dlnlab``."""

import sys

from dlnlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
