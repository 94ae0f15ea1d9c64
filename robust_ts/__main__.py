"""Run the command line with ``python -m robust_ts``."""

import sys

from robust_ts.cli import main

if __name__ == "__main__":
    sys.exit(main())
