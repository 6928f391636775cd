"""The `artificer` command: a client of the services' public API that runs on any machine.

It needs the extra `artificer[cli]`. A failure prints one line to standard error and sets the exit code: 1 for failed
work, 2 for a usage error, 3 for an unreachable server, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

# gRPC's C core reads this when it is imported. It would log a failed handshake in several lines of its own.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__all__ = ["main"]


def main() -> None:
    """Run the command and exit."""
    missing = [name for name in ("rich", "typer", "yaml") if find_spec(name) is None]
    if missing:
        sys.exit(f"artificer: the command needs {' and '.join(missing)}: install artificer[cli]")
    from .app import run

    sys.exit(run())
