"""What the HTTP/1.1 connections of a listener share.

It holds no code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from ...exchange import Door
from ...tls import Admission
from ..lingering_close import LingeringClose
from ..state import ListenerState
from .canned_responses import CannedResponses
from .websocket import WebSocketProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Http1:
    """What all connections of a listener share. `lingering` collects those whose last response is still being read."""

    app: ASGIApp
    door: Door | None
    state: ListenerState
    responses: CannedResponses
    admission: Admission
    lingering: set[LingeringClose]
    make_http2: Callable[[], asyncio.Protocol]
    make_websocket: Callable[[], WebSocketProtocol]
