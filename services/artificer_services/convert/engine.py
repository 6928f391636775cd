"""Converts documents: receives them, waits for a turn, runs the conversion and reads the result.

Plain Python without protos or gRPC. Clients' bytes are only parsed in processes of `process`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from ..kit.workers.document import memory_file
from . import errors, formats
from .formats import Format
from .launcher import REFUSED, Task
from .process import Finished, program_of, run, version_of
from .settings import ConvertSettings

_PIECE = 256 * 1024
_MAX_NAME = 255
_MAX_TYPE = 255
_MESSAGE = 300  # characters of one of Pandoc's messages
_HEAP_EXHAUSTED, _STACK_OVERFLOW = 251, 2  # exit statuses of GHC's run-time system
_UNSUPPORTED_EXTENSION = 23
_INTERNAL = frozenset({3, 5, 6, 22, 62, 83, 84, 97})  # of Pandoc, which no document causes (its manual, "EXIT CODES")
# A path, and what can stand before one: an address such as http://host/name is no path.
_PATH = re.compile(r"(?<![\w:/.])/(?:[\w.+~-]+/)*[\w.+~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options of a request; empty means that the client has not said."""

    to: str
    input_format: str = ""
    content_type: str = ""
    filename: str = ""
    standalone: bool = False
    media: str = ""  # "embed" or "omit"


class Piece(NamedTuple):
    """A part of a converted document, which has the format `target`."""

    data: bytes
    target: Format


class Converter:
    """Converts documents, several at once. Every method raises WorkError and stops its work when cancelled."""

    def __init__(self, settings: ConvertSettings) -> None:
        self.version = ""
        self._settings = settings
        self._pandoc = program_of(settings.pandoc)
        self._turns = asyncio.Semaphore(settings.worker_count)
        self.admitted = 0
        """The number of requests, running and waiting."""

    @property
    def installed(self) -> bool:
        """Whether there is a Pandoc."""
        return bool(self._pandoc)

    async def start(self) -> None:
        """Run Pandoc for its version. Raises OSError if it cannot be run."""
        if self._pandoc:
            self.version = await version_of(self._pandoc)

    async def convert(self, pieces: AsyncIterator[bytes], choices: Choices) -> AsyncGenerator[Piece, None]:
        """Yields the converted document in pieces, at least one, once it is complete."""
        target = self._check(choices)
        with self._admit(), _files() as (document, output, messages):
            await self._receive(pieces, document)
            task = self._task(choices)
            async with self._turns:
                try:
                    finished = await run(task, document, output, messages)
                except TimeoutError:
                    raise errors.TaskTimeout(
                        f"the conversion took longer than {self._settings.timeout:g} seconds"
                    ) from None
            self._conclude(finished, target)
            at = 0
            while (data := os.pread(output, _PIECE, at)) or not at:
                yield Piece(data, target)
                at += len(data) or 1

    async def convert_bytes(self, data: bytes, choices: Choices) -> bytes:
        """Returns the converted document."""

        async def whole() -> AsyncIterator[bytes]:
            yield data

        async with aclosing(self.convert(whole(), choices)) as pieces:
            return b"".join([piece.data async for piece in pieces])

    def _check(self, choices: Choices) -> Format:
        if not self._pandoc:
            raise errors.NotInstalled("the server has no Pandoc; install artificer-services[convert] there")
        if choices.content_type.lower().startswith("multipart/form-data"):
            raise errors.BadChoice(
                "forms are not read; send the document itself as the body, and the options in the query", "content_type"
            )
        if not choices.to:
            raise errors.BadChoice(f"expected the format to convert to: one of {', '.join(formats.OUTPUTS)}", "to")
        target = formats.output_named(choices.to)
        if target is None:
            raise errors.BadChoice(
                f"unknown output format {choices.to[:64]!r}; expected one of {', '.join(formats.OUTPUTS)}", "to"
            )
        if choices.input_format and formats.input_named(choices.input_format) is None:
            raise errors.BadChoice(
                f"unknown input format {choices.input_format[:64]!r}; expected one of {', '.join(formats.INPUTS)}",
                "input_format",
            )
        if len(choices.filename) > _MAX_NAME:
            raise errors.BadChoice(f"the file name has more than {_MAX_NAME} characters", "filename")
        if len(choices.content_type) > _MAX_TYPE:
            raise errors.BadChoice(f"the content type has more than {_MAX_TYPE} characters", "content_type")
        return target.format

    async def _receive(self, pieces: AsyncIterator[bytes], document: int) -> None:
        size, limit = 0, self._settings.max_document_bytes
        async for piece in pieces:
            size += len(piece)
            if size > limit:
                raise errors.TooLarge(f"the document has more than {limit:,} bytes, the limit", "data")
            view = memoryview(piece)
            while view:
                view = view[os.write(document, view) :]
        os.lseek(document, 0, os.SEEK_SET)

    def _task(self, choices: Choices) -> Task:
        settings = self._settings
        return Task(
            pandoc=self._pandoc,
            to=choices.to,
            input_format=choices.input_format,
            content_type=choices.content_type,
            filename=choices.filename,
            standalone=choices.standalone,
            media=choices.media,
            seconds=settings.timeout,
            memory_bytes=settings.memory_bytes,
            output_bytes=settings.max_output_bytes,
            unpacked_bytes=settings.max_unpacked_bytes,
        )

    def _conclude(self, finished: Finished, target: Format) -> None:
        """Raise the error of a conversion that failed."""
        status, messages = finished
        settings = self._settings
        if status == 0:
            return
        if status == REFUSED:
            raise errors.from_wire(json.loads(messages))
        if status in (_HEAP_EXHAUSTED, _STACK_OVERFLOW):
            raise errors.TooLarge(
                f"the conversion needs more memory than {settings.memory_bytes:,} bytes, the limit", "data"
            )
        if status == -signal.SIGXFSZ:
            raise errors.TooLarge(
                f"the converted document has more than {settings.max_output_bytes:,} bytes, the limit", "data"
            )
        if status == -signal.SIGXCPU:
            raise errors.TaskTimeout(f"the conversion took longer than {settings.timeout:g} seconds")
        if status < 0:
            raise errors.WorkerDied(f"the conversion ended unexpectedly, by signal {-status}")
        if status == _UNSUPPORTED_EXTENSION:
            told = _told(messages)
            field = "to" if f"not supported for {target.name}." in told else "input_format"
            raise errors.BadChoice(told[:1].lower() + told[1:], field)
        if status >= 100 or status in _INTERNAL:
            raise errors.Unexpected(f"Pandoc ended with {status}: {messages[:2000]}")
        raise errors.BadDocument(f"the document cannot be converted: {_told(messages)}", "data")

    @contextmanager
    def _admit(self) -> Iterator[None]:
        if self.admitted >= self._settings.max_requests:
            raise errors.Busy(f"the server is busy with {self.admitted} documents; try again later")
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1


@contextmanager
def _files() -> Iterator[tuple[int, int, int]]:
    """Memory files for a document, the converted one and messages."""
    opened: list[int] = []
    try:
        for _ in range(3):
            opened.append(memory_file())
        yield opened[0], opened[1], opened[2]
    finally:
        for fd in opened:
            os.close(fd)


def _told(messages: str) -> str:
    """Returns the beginning of Pandoc's message in one line, without paths of this machine."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    text = " ".join(lines[:2]).removeprefix("pandoc: ")
    text = "".join(one if one.isprintable() else " " for one in _PATH.sub("…", text))
    return text[:_MESSAGE] or "Pandoc gives no reason"
