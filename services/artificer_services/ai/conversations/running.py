"""One running answer: the model generates in a task of its own, and its reader reads what there is.

The reader's speed does not slow the model down, and the end is stored whether there is a reader or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from itertools import groupby

from ...kit.errors import ServiceError, Unavailable
from ..grounding.values import Citation, Ended, Event, Text
from ..models.tokens import estimate
from ..models.values import Usage
from .errors import BrokenOff, Lost
from .store import Begun, End, Store, Written
from .values import Cut, Ending, Message, Piece, State

_log = logging.getLogger(__name__)

# A refusal of the model that comes sooner is the status of the call, and nothing of the request is stored. A model that
# takes longer to begin must not keep the reader from learning that the message is stored.
ANNOUNCE_SECONDS = 0.25
_RETRY_SECONDS = 1.0  # between attempts to store the end while the database is down

Source = Callable[[], AsyncGenerator[Sequence[Event], None]]


class RunningAnswer:
    """An answer that a model generates.

    `asked` returns the texts of the prompt, to estimate its tokens. `patience` is the time in seconds for which the end
    is tried to be stored. `grown` is called whenever there is text.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        begun: Begun,
        source: Source,
        cut: Cut,
        *,
        asked: Callable[[], Sequence[str]],
        patience: float,
        grown: Callable[[], None],
    ) -> None:
        self.begun = begun
        self.error: ServiceError | None = None
        """Why the answer failed."""
        self.refused = False
        """Whether the model refused, so that nothing is stored."""
        self._store, self._owner, self._source, self._patience = store, owner, source, patience
        self._cut, self._asked, self._grown = cut, asked, grown
        self._texts: list[str] = []
        self._citations: list[Citation] = []
        self._passages: list[str] = []
        self._ended: Ended | None = None
        self._size = self._flushed = 0
        self._dirty = False
        self._unread: list[Piece] = []
        self._news, self._answered = asyncio.Event(), asyncio.Event()
        self._stopped = self._lost = False
        self._generating: asyncio.Task[None] | None = None
        self._announced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="conversation-answer")
        self._task.add_done_callback(_retrieved)

    @property
    def unflushed(self) -> int:
        """The characters of text that `written` has not given yet."""
        return self._size - self._flushed

    def written(self) -> Written:
        """Returns what is new since the last time, to be stored."""
        sequence = self.begun.answer.sequence
        if not self._dirty:
            return Written(sequence, None)
        self._dirty = False
        self._flushed = self._size
        return Written(sequence, self._text(), tuple(self._citations))

    def unwritten(self) -> None:
        """Note that what `written` gave could not be stored."""
        self._dirty = True

    def stop(self) -> None:
        """Stop the model at once. Does nothing behind the end."""
        if self._generating is None:
            self._stopped = True
        elif not self._generating.done():
            self._stopped = True
            self._generating.cancel()

    def lose(self) -> None:
        """Stop the model, since another process has ended the answer, or it was deleted."""
        self._lost = True
        self.stop()

    async def announced(self) -> None:
        """Wait until the answer has begun. Raises the model's error if it refused; nothing is stored then."""
        await asyncio.shield(self._announced)

    async def events(self) -> AsyncGenerator[list[Piece], None]:
        """Yields what is new until the model has ended; texts that wait are joined."""
        while True:
            if fresh := self._unread:
                self._unread = []
                yield _joined(fresh)
            elif self._generating is not None and self._generating.done():
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def result(self) -> Message:
        """Returns the answer as it was stored. Raises Lost, Unavailable, or the refusal of the model."""
        return await asyncio.shield(self._task)

    async def settled(self) -> None:
        """Wait until nothing of it runs any more."""
        await asyncio.wait({self._task})

    def on_end(self, done: Callable[[RunningAnswer], None]) -> None:
        """Call `done` when the end is stored."""
        self._task.add_done_callback(lambda _: done(self))

    @property
    def state(self) -> State:
        """How the answer ended."""
        if self.error is not None:
            return State.FAILED
        return State.STOPPED if self._ended is None else State.COMPLETE

    # The tasks.

    async def _run(self) -> Message:
        try:
            message = await self._answer()
        except BaseException as error:
            if not self._announced.done():
                self._announced.set_exception(error)
                self._announced.exception()  # marks it as retrieved, in case the reader has left
            raise
        finally:
            self._news.set()
        return message

    async def _answer(self) -> Message:
        self._generating = generating = asyncio.create_task(self._generate(), name="conversation-generate")
        generating.add_done_callback(self._generated)
        if self._stopped:
            generating.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self._answered.wait()
        if generating.done() and not generating.cancelled() and not self._texts and generating.exception():
            self._fail(generating)
            self.refused = True
            await self._store.retract(self.begun, self._owner)
            raise self.error or BrokenOff()
        if self.begun.user is None:
            with suppress(Unavailable):  # the end does it too
                await self._store.announce(self.begun.answer.conversation, self.begun.answer.sequence)
        self._announced.set_result(None)
        await asyncio.wait({generating})
        self._fail(generating)
        return await self._finish()

    def _generated(self, _: object) -> None:
        self._answered.set()
        self._news.set()

    async def _generate(self) -> None:
        async with aclosing(self._source()) as batches:
            async for batch in batches:
                for event in batch:
                    self._take(event)
                self._news.set()
                self._grown()

    def _take(self, event: Event) -> None:
        if isinstance(event, Ended):
            self._ended = event
            self._answered.set()
            return
        if isinstance(event, Text):
            event = Text(_storable(event.text))
            self._texts.append(event.text)
            self._size += len(event.text)
            self._dirty = True
            self._answered.set()
        elif isinstance(event, Citation):
            self._citations.append(event)
            self._dirty = True
        else:
            self._passages = [passage.chunk.text for passage in event.passages]
        self._unread.append(event)

    def _fail(self, generating: asyncio.Task[None]) -> None:
        if generating.cancelled():
            self._stopped = True
            self._ended = None
            return
        error = generating.exception()
        if isinstance(error, ServiceError):
            self.error = error
        elif error is not None:
            _log.error("an answer broke off", exc_info=error)
            self.error = BrokenOff()

    async def _finish(self) -> Message:
        answer, ended = self.begun.answer, self._ended
        usage = ended.usage if ended else None
        if self.state is State.STOPPED:  # in a thread, since a long prompt takes a tenth of a second
            usage = await asyncio.to_thread(self._estimated)
        ending = Ending.CANCELLED if self.state is State.STOPPED else None
        if ended is not None and ended.finish is not None and self.error is None:
            ending = Ending(ended.finish.value)
        end = End(
            content=self._text(),
            state=self.state,
            ending=ending,
            usage=usage,
            citations=tuple(self._citations),
            cut=self._cut,
        )
        clock = asyncio.get_running_loop().time
        last = clock() + self._patience
        while True:
            try:
                message = await self._store.finish(answer.conversation, answer.sequence, self._owner, end)
                break
            except Unavailable:
                if clock() > last:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)
        if message is None:
            raise Lost
        return message

    def _estimated(self) -> Usage:
        """Returns about the tokens of an answer that was stopped: models tell them at their own end only."""
        prompt = sum(estimate(text) for text in (*self._asked(), *self._passages))
        return Usage(prompt=prompt, completion=estimate("".join(self._texts)))

    def _text(self) -> str:
        if len(self._texts) > 1:
            self._texts = ["".join(self._texts)]
        return self._texts[0] if self._texts else ""


def _retrieved(task: asyncio.Task[Message]) -> None:
    """Mark a task's error as retrieved: its reader may have left, and asyncio logs errors that are not retrieved."""
    if not task.cancelled():
        task.exception()


def _storable(text: str) -> str:
    """Returns a text without what databases cannot store: U+0000 and halves of surrogate pairs."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _joined(events: Sequence[Piece]) -> list[Piece]:
    """Returns the events with each run of texts as one."""
    joined: list[Piece] = []
    for is_text, group in groupby(events, key=lambda event: isinstance(event, Text)):
        run = list(group)
        joined += [Text("".join(one.text for one in run if isinstance(one, Text)))] if is_text else run
    return joined
