"""The page at /chat: static files, and the headers under which a browser runs nothing but them.

Knows neither store nor protos.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response

FOLDER = Path(__file__).with_name("page")
_ASSETS = {"chat.css": "text/css", "chat.js": "text/javascript"} | dict.fromkeys(
    ("protobuf.js", "transports.js"), "text/javascript"
)
_HEADERS = {
    # 'self' covers a WebSocket to the same host (CSP level 3). Nothing inline runs, and no other page frames this one.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # a new version of the service is a new version of the page
}


def add_page(app: FastAPI) -> None:
    """Serve the page. A route a file, since a mount would be asked about every request."""
    app.add_route("/chat", _file("index.html", "text/html"), include_in_schema=False)
    for name, media in _ASSETS.items():
        app.add_route(f"/chat/assets/{name}", _file(name, media), include_in_schema=False)


def _file(name: str, media: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(FOLDER / name, media_type=media, headers=_HEADERS)

    return send
