"""The engine `native`: pygrpc-native's server, and what it does otherwise than grpcio.

It is an extra, imported only where it is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import pygrpc_native.aio


def make(interceptors: Sequence[Any], options: Sequence[tuple[str, Any]]) -> grpc.aio.Server:
    """A server that behaves as grpcio's."""
    return pygrpc_native.aio.server(interceptors=interceptors, options=options)
