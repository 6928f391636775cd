"""The faces that an application serves.

It holds no code.
"""

from __future__ import annotations

from typing import NamedTuple

from ...faces.rest import Transcoder
from ...faces.rpc import RpcApp
from ...faces.session import Session
from ...faces.websocket import WebSockets
from ...reply import ErrorReplier


class Faces(NamedTuple):
    """What the application serves besides its own routes: one session, and the faces that use it."""

    session: Session
    errors: ErrorReplier
    rest: Transcoder
    rpc: RpcApp
    websocket: WebSockets
