"""Plain text, with a form feed between pages."""

from __future__ import annotations

from .page import OutputPage


class PlainText:
    media_type = "text/plain; charset=utf-8"
    head = tail = ""
    between = "\f"

    def page(self, page: OutputPage) -> str:
        return page.text
