"""Benchmarks against peers: `python -m bench`, or `make bench`, which installs what it needs.

Every server answers the same requests with the same answers, and only ratios inside one run are compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The contract measured is the tests' kitchen sink, whose generated code is shipped nowhere.
GENERATED = ROOT / "tests" / "gen"
if str(GENERATED) not in sys.path:
    sys.path.insert(0, str(GENERATED))
