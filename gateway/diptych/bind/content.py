"""A request body's content type, told apart.

It knows no message.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContentType:
    """A content type: `media` in lower case without parameters, `text` as the header had it."""

    media: str
    text: str

    @classmethod
    def of(cls, header: bytes | None) -> ContentType:
        """From the header's value; without a header both are empty."""
        if header == b"application/json":
            return JSON
        text = (header or b"").decode("latin-1").strip()
        return cls(text.partition(";")[0].strip().lower(), text)

    @property
    def is_json(self) -> bool:
        """Whether it is JSON: application/json, or a +json suffix (RFC 6839)."""
        return self.media == "application/json" or self.media.endswith("+json")

    def parameter(self, name: str) -> str:
        """A parameter's value without its quotes, or nothing."""
        for part in self.text.split(";")[1:]:
            key, _, value = part.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return ""


JSON = ContentType("application/json", "application/json")  # what nearly every body is
