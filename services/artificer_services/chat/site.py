"""The page at /chat.

Knows neither store nor protos.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from ..kit import site

_INDEX = Path(__file__).with_name("page") / "index.html"
_ASSETS = {"chat.css": "text/css"} | dict.fromkeys(("chat.js", "protobuf.js", "transports.js"), "text/javascript")


def add_page(app: FastAPI) -> None:
    """Serve the page."""
    site.add_page(app, "/chat", _INDEX, _ASSETS)
