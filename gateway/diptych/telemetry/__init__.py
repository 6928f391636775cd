"""What an operator sees of calls: counts, log lines, traces. One record a call, begun and ended at the doors.

The doors are `call` for every protocol of the HTTP port, and `rpc_server`'s outermost interceptor for gRPC's own.
"""

from __future__ import annotations

from .record import NOTHING, Record
from .recorder import Watch
from .unmatched import Unmatched

__all__ = ["NOTHING", "Record", "Unmatched", "Watch"]
