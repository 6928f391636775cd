"""An HTTP/1.1 client that sends arbitrary bytes and detects invalid responses."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import httptools

ANSWER_SECONDS = 30.0
"""Seconds after which an input counts as unanswered."""
_MOST = 1 << 18
"""Bytes of an answer that are read before the client closes the connection."""


@dataclass
class Answer:
    """One response, as far as it was read."""

    status: int = 0
    body: bytes = b""
    whole: bool = False
    keeps: bool = False
    headers: dict[bytes, bytes] = field(default_factory=dict)


class _Reader:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.answers: list[Answer] = []

    def on_message_begin(self) -> None:
        self.answers.append(Answer())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answers[-1].headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.answers[-1].status = self.parser.get_status_code()
        self.answers[-1].keeps = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.answers[-1].body += body

    def on_message_complete(self) -> None:
        self.answers[-1].whole = True


class NotHttp(Exception):
    """The server sent an invalid response."""


class Connection:
    """One connection. `used` is whether it was answered before."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.used = False

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connects to a port of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, data: bytes) -> Answer | None:
        """Sends a request and returns its answer; None if the server closed without one.

        Raises NotHttp, and TimeoutError without an answer.
        """
        reader = _Reader()
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            async with asyncio.timeout(ANSWER_SECONDS):
                while (piece := await self._reader.read(65536)) and not _done(reader, _fed(reader, piece)):
                    pass
        final = [one for one in reader.answers if one.status >= 200 or one.status == 101]
        if len(final) > 1:
            raise NotHttp(f"{len(final)} responses to one request")
        self.used = True
        return final[0] if final else None

    async def throw(self, data: bytes, quiet: float) -> list[Answer]:
        """Sends bytes, valid or not, and reads until the server closes or is silent for `seconds`."""
        reader, size = _Reader(), 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            self._writer.write(data)
            while size < _MOST:
                async with asyncio.timeout(quiet if size else 4 * quiet):
                    piece = await self._reader.read(65536)
                if not piece:
                    break
                size += len(piece)
                if _fed(reader, piece):
                    break
        return reader.answers

    def close(self) -> None:
        """Leave at once."""
        self._writer.transport.abort()


def _fed(reader: _Reader, piece: bytes) -> bool:
    """Whether the connection switched protocols."""
    try:
        reader.parser.feed_data(piece)
    except httptools.HttpParserUpgrade:
        reader.answers[-1].whole = True
        return True
    except httptools.HttpParserError as wrong:
        raise NotHttp(f"{wrong}: {piece[:300]!r}") from None
    return False


def _done(reader: _Reader, upgraded: bool) -> bool:
    if upgraded or not reader.answers:
        return upgraded
    last = reader.answers[-1]
    return (last.whole and last.status >= 200) or len(last.body) > _MOST


class Pool:
    """Connections that are kept alive."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[Connection] = []

    async def ask(self, data: bytes) -> Answer | None:
        """Sends a request over an idle connection, or over a new one if that was closed meanwhile."""
        while True:
            connection = self._idle.pop() if self._idle else await Connection.open(self.port)
            used = connection.used
            try:
                answer = await connection.ask(data)
            except BaseException:
                connection.close()
                raise
            if answer is None and used:
                connection.close()
                continue
            if answer is not None and answer.whole and answer.keeps and answer.status != 101:
                self._idle.append(connection)
            else:
                connection.close()
            return answer

    def close(self) -> None:
        """Leave all."""
        while self._idle:
            self._idle.pop().close()
