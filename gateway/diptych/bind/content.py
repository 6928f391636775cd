"""Parses a request body's content type.

It knows no message.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContentType:
    """A content type: `media` is in lower case without parameters, `text` is the header's value."""

    media: str
    text: str

    @classmethod
    def of(cls, header: bytes | None) -> ContentType:
        """Parses the header's value; without a header both attributes are empty."""
        if header == b"application/json":
            return JSON
        text = (header or b"").decode("latin-1").strip()
        return cls(text.partition(";")[0].strip().lower(), text)

    @property
    def is_json(self) -> bool:
        """Returns whether it is application/json or has the suffix +json (RFC 6839)."""
        return self.media == "application/json" or self.media.endswith("+json")

    def parameter(self, name: str) -> str:
        """Returns a parameter's value without quotes, or an empty string."""
        for part in self.text.split(";")[1:]:
            key, _, value = part.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return ""


JSON = ContentType("application/json", "application/json")  # shared, since nearly every body has it
