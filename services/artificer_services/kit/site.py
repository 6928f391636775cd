"""Serves a service's page: static files, with headers under which a browser runs no other code.

Knows no service. All pages share `page/access.js`, which asks the visitor for credentials.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response

_HEADERS = {
    # 'self' covers a WebSocket to the same host (CSP level 3). Inline code and framing by other pages are blocked.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # browsers revalidate, so that an upgrade reaches them
}
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}  # not by `mimetypes`, which depends on the machine
_SHARED = Path(__file__).with_name("page") / "access.js"


def add_page(app: FastAPI, path: str, index: Path) -> None:
    """Serve `index` at `path`, and the scripts and styles in its folder at `path`/assets.

    Pages hold no data and need no credentials; their calls do. Each file has its own route, since every request of the
    gateway would be matched against a mount.
    """
    app.add_route(path, _file(index, "text/html"), include_in_schema=False)
    for file in (_SHARED, *sorted(index.parent.iterdir())):
        if media := _MEDIA_TYPES.get(file.suffix):
            app.add_route(f"{path}/assets/{file.name}", _file(file, media), include_in_schema=False)


def _file(file: Path, media: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(file, media_type=media, headers=_HEADERS)

    return send
