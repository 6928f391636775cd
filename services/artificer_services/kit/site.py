"""The page of a service: static files, and the headers under which a browser runs nothing but them.

Knows no service; each one has its files in a folder of its own. What all pages share, how they say who asks, is in
`page` here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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

_SHARED = Path(__file__).with_name("page") / "access.js"


def add_page(app: FastAPI, path: str, index: Path, assets: Mapping[str, str]) -> None:
    """Serve `index` at `path`, and beside it the files named in `assets`, with their media types, at `path`/assets.

    Pages hold no data and are open to anybody: their calls are not. A route a file, since a mount would be asked about
    every request.
    """
    app.add_route(path, _file(index, "text/html"), include_in_schema=False)
    app.add_route(f"{path}/assets/{_SHARED.name}", _file(_SHARED, "text/javascript"), include_in_schema=False)
    for name, media in assets.items():
        app.add_route(f"{path}/assets/{name}", _file(index.with_name(name), media), include_in_schema=False)


def _file(file: Path, media: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(file, media_type=media, headers=_HEADERS)

    return send
