"""Texts that others wrote, made fit for a terminal: what they hold must not move its cursor or ring its bell.

Knows no service.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

# Controls, format characters (some turn the direction of a line), and the halves of names that are no UTF-8.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def plain(text: str) -> str:
    """The text with controls shown as escapes."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escape(char: str) -> str:
    return char if char == "\t" else char.encode("unicode_escape").decode()


def one_line(text: str) -> str:
    """The text in one line."""
    return plain(" ".join(text.split()))


def short(text: str, most: int) -> str:
    """The text in one line of at most so many characters."""
    line = one_line(text[: most * 4])
    return line if len(line) <= most and len(text) <= most * 4 else line[: most - 1] + "…"


def moment(stamp: Timestamp) -> str:
    """A time as the clock on the wall has it; empty where there is none."""
    if not stamp.seconds and not stamp.nanos:
        return ""
    return stamp.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(stamp: Timestamp) -> str:
    """The time of day, with milliseconds."""
    when: datetime = stamp.ToDatetime(UTC).astimezone()
    return f"{when:%H:%M:%S}.{when.microsecond // 1000:03}"
