"""Benchmarks against peers: `python -m bench`, or `make bench`, which installs what it needs.

Every server gives the same answers to the same requests, and only ratios within one run are compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The benchmarks serve the tests' kitchen-sink proto, whose generated code is not part of any package.
GENERATED = ROOT / "tests" / "gen"
if str(GENERATED) not in sys.path:
    sys.path.insert(0, str(GENERATED))
