"""Metrics, access log and traces: one record per call.

Records begin and end in `call` for our own listeners, and in `rpc_server`'s outermost interceptor for grpcio's.
"""

from __future__ import annotations

from .record import NOTHING, Record
from .recorder import Recorder
from .unmatched import Unmatched

__all__ = ["NOTHING", "Record", "Recorder", "Unmatched"]
