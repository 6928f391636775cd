"""Progress on standard error, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def reporter() -> Callable[[str], None]:
    """Returns a function that prints what is measured next."""
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {what}", file=sys.stderr, flush=True)

    return say
