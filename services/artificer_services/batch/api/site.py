"""Serves the page at /jobs.

Knows neither store nor protos: the page calls the REST API as any client does.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from ...kit import site

_INDEX = Path(__file__).with_name("page") / "jobs.html"


def add_page(app: FastAPI) -> None:
    """Serve the page and its assets."""
    site.add_page(app, "/jobs", _INDEX)
