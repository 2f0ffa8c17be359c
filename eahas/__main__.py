"""`python -m eahas`: the same as the `eahas` command."""

from __future__ import annotations

import sys

from eahas.cli import main

if __name__ == "__main__":  # the workers of a sweep import this module anew
    sys.exit(main())
