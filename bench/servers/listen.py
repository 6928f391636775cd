"""uvicorn for the other servers, configured as in the gateway, and the line that reports the ports."""

from __future__ import annotations

import json
import socket
from typing import Any

import uvicorn

HOST = "127.0.0.1"


def announce(**about: Any) -> None:
    """Prints the ports, `http` and `grpc`, for the process that started this one, and `headers` that requests need."""
    print(json.dumps(about), flush=True)


def serve(app: Any) -> None:
    """Serves an ASGI app on a free port until SIGTERM."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, 0))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        backlog=2048,
    )
    bound.listen(config.backlog)
    announce(http=bound.getsockname()[1])
    uvicorn.Server(config).run(sockets=[bound])
