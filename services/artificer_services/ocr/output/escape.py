"""Makes the text of a stranger's page safe for XML, HTML and tables."""

from __future__ import annotations

import re

# All that XML 1.0 forbids (section 2.2, Char), and the C1 controls, which no text means.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_SPECIALS = re.compile("[&<>\"']")


def clean(text: str) -> str:
    """Returns a word without white space and the characters that XML forbids."""
    return "".join(_FORBIDDEN.sub("", text).split())


def escape(text: str) -> str:
    """Returns a word for an element or an attribute of XML or HTML."""
    return _SPECIALS.sub(lambda found: _SPECIAL[found[0]], clean(text))
