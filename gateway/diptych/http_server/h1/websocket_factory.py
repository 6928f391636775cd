"""Creates the protocols of WebSockets, and puts what ASGI lacks into their scopes.

It knows no route.
"""

from __future__ import annotations

import logging
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from ...exchange import AUTH, CUT, StreamCut
from ...faces.websocket import HELD, LIMITED, WATCHED
from ..lingering_close import LingeringClose
from ..state import ListenerState
from .websocket import WebSocketProtocol, unwanted


class WebSocketFactory:
    """`app` serves the WebSockets of one listener. `largest` is their largest message in bytes.

    `secure` is whether connections use TLS, `ping_seconds` the interval of pings, and their timeout.
    """

    def __init__(
        self,
        app: ASGIApp,
        state: ListenerState,
        lingering: set[LingeringClose],
        *,
        secure: bool,
        largest: int,
        ping_seconds: float,
    ) -> None:
        self._app, self._state, self._lingering, self._secure = app, state, lingering, secure
        self._config = uvicorn.Config(
            self._serve,
            ws=WebSocketProtocol,
            ws_max_size=largest,
            ws_ping_interval=ping_seconds,
            ws_ping_timeout=ping_seconds,
            ws_per_message_deflate=False,  # zlib's window for each socket makes an idle one ten times as large
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # `Proxies` handles them, by the setting trusted_proxies
        )

    def load(self) -> None:
        """Prepares uvicorn's part; called before the first connection."""
        self._config.load()
        logging.getLogger("uvicorn.error").addFilter(_wanted)

    def make(self) -> WebSocketProtocol:
        """Returns the protocol of a new WebSocket."""
        state: Any = self._state  # has what the protocol uses of uvicorn's own
        made = WebSocketProtocol(config=self._config, server_state=state, app_state=self._state.lifespan)
        made.lingering = self._lingering
        return made

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = send.__self__  # type: ignore[attr-defined]  # ASGI has no other way to the connection
        scope[CUT], scope[HELD] = connection.transport.close, connection.hold
        scope[WATCHED] = connection.watch
        scope[LIMITED] = connection.limit
        if self._secure:
            scope[AUTH] = connection.transport.get_extra_info("ssl_object").proven
        try:
            await self._app(scope, receive, send)
        except StreamCut:
            pass
        finally:
            # Breaks the reference cycle of scope and connection, which would otherwise live until a garbage collection.
            scope.pop(CUT, None)
            scope.pop(HELD, None)
            scope.pop(WATCHED, None)
            scope.pop(LIMITED, None)


def _wanted(record: logging.LogRecord) -> bool:
    return not unwanted(record)
