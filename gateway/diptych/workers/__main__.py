"""`python -m diptych.workers PLAN` is the supervisor's process; `diptych serve` becomes it."""

from __future__ import annotations

import sys

from .logs import configure
from .plan import Plan
from .supervisor import supervise


def main() -> int:
    """Supervises; reports ports in use in one line."""
    plan = Plan.read(sys.argv[1])
    configure(plan.log_format, plan.log_level)
    try:
        return supervise(plan)
    except OSError as error:
        sys.stderr.write(f"diptych: {error}\n")
        return 1


sys.exit(main())
