"""Makes untrusted text safe for a terminal: it must not move the cursor or ring the bell.

Knows no service.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

# Controls, format characters (some change the direction of text), and the surrogates of names that are not UTF-8.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def plain(text: str) -> str:
    """Returns the text with control characters escaped."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escape(char: str) -> str:
    return char if char == "\t" else char.encode("unicode_escape").decode()


def one_line(text: str) -> str:
    """Returns the text on one line."""
    return plain(" ".join(text.split()))


def short(text: str, most: int) -> str:
    """Returns the text on one line of at most `most` characters."""
    line = one_line(text[: most * 4])
    return line if len(line) <= most and len(text) <= most * 4 else line[: most - 1] + "…"


def moment(when: datetime | None) -> str:
    """Returns a time in local time; empty if there is none."""
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}" if when else ""


def clock(when: datetime | None) -> str:
    """Returns the local time of day with milliseconds; empty if there is none."""
    return f"{(local := when.astimezone()):%H:%M:%S}.{local.microsecond // 1000:03}" if when else ""
