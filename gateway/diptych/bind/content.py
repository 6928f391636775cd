"""Parses a request body's content type.

It knows no message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"

_FILES = ("image/", "audio/", "video/", "font/", "model/", "application/octet-stream", "application/pdf")
# The ratio of a word to "json" from which it counts as a misspelling of it: one letter missing, added or exchanged.
_ALIKE = 0.75
_LONGEST_SUBTYPE = 127  # RFC 6838 section 4.2; headers may be much longer


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

    @property
    def resembles_json(self) -> bool:
        """Returns whether it names JSON, or was meant to: `text/json`, `application/x-ndjson`, `aplication/jsom`."""
        if self.is_json or "json" in self.media:
            return True
        return _misspells_json(self.media.rpartition("/")[2][:_LONGEST_SUBTYPE])

    @property
    def is_form(self) -> bool:
        """Returns whether it is a form: of parts, or as `curl -d` and HTML declare it."""
        return self.media.startswith("multipart/") or self.media == URLENCODED

    def is_raw(self, *, among_fields: bool) -> bool:
        """Returns whether a body of this type can be the raw bytes of a field.

        With `among_fields` the field is one of a message whose JSON the body may also be. There a missing type and
        text are not raw: what was meant as JSON must not be stored as bytes.
        """
        media = self.media
        if media.startswith(_FILES):
            return "json" not in media
        if self.is_form or self.resembles_json:
            return False
        return not among_fields or ("/" in media and not media.startswith("text/"))

    def parameter(self, name: str) -> str:
        """Returns a parameter's value without quotes, or an empty string."""
        for part in self.text.split(";")[1:]:
            key, _, value = part.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return ""


@lru_cache(maxsize=256)
def _misspells_json(subtype: str) -> bool:
    words = re.findall(r"[a-z]{3,5}", subtype)
    return any(word != "bson" and SequenceMatcher(None, word, "json").ratio() >= _ALIKE for word in words)


JSON = ContentType("application/json", "application/json")  # shared, since nearly every body has it
OCTETS = ContentType("application/octet-stream", "application/octet-stream")
