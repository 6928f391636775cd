"""The page of a service: static files, and headers under which a browser runs nothing but them.

Knows no service; each has its files in a folder of its own. `page/access.js` is what all pages share: how the visitor
gives credentials.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response

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
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}  # the machine's own table may differ
_SHARED = Path(__file__).with_name("page") / "access.js"


def add_page(app: FastAPI, path: str, index: Path) -> None:
    """Serve `index` at `path`, and the scripts and styles beside it at `path`/assets.

    Pages hold no data and need no credentials; their calls do. A route a file, since every request would be matched
    against a mount.
    """
    app.add_route(path, _file(index, "text/html"), include_in_schema=False)
    for file in (_SHARED, *sorted(index.parent.iterdir())):
        if media := _MEDIA_TYPES.get(file.suffix):
            app.add_route(f"{path}/assets/{file.name}", _file(file, media), include_in_schema=False)


def _file(file: Path, media: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(file, media_type=media, headers=_HEADERS)

    return send
