"""Splits the bytes of Server-Sent Events into their data.

Pure. Reads only `data` fields (HTML Living Standard, 9.2.6), the only ones of OpenAI's protocol. A read holds hundreds
of events, so that the common form, one line of data, is split without a loop over lines.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"  # with which a stream may begin


class TooLong(ValueError):
    """An event has no end within the limit."""


class EventReader:
    """Reads the events of one stream, each of at most `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Returns the data of the events that `piece` completes. Raises TooLong for what earlier pieces left over."""
        if len(self._rest) > self._most:
            raise TooLong
        text = self._rest + piece if self._rest else piece
        if b"\r" in text:
            # A \r at the end may be half of \r\n. JSON has neither in a text, so that no data is changed.
            held = text[-1:] if text.endswith(b"\r") else b""
            text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        whole, end, self._rest = text.rpartition(b"\n\n")
        return [data for event in whole.split(b"\n\n") if (data := _data(event))] if end else []

    def end(self) -> list[bytes]:
        """Returns the data of an event that the end of the stream cut off before its empty line."""
        rest, self._rest = self._rest.rstrip(b"\r\n"), b""
        data = _data(rest)
        return [data] if data else []


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = event.removeprefix(_BOM).split(b"\n")
    lines = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"\n".join(lines)
