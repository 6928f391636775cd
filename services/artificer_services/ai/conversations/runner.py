"""The running answers of one process: writes what they have to the store, stops those that are asked to, ends the rest.

A process holds an answer by a lease that it renews with each write. Answers whose lease has run out, since their
process was killed or lost the database, are marked as failed by the first process that notices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from ...kit.errors import Unavailable
from ...kit.periodic import Periodic
from .running import RunningAnswer, Source
from .settings import ConversationSettings
from .store import Begun, Store
from .values import Cut, State


class Runner:
    """Runs answers. `ended` is called with the state in which each ended."""

    def __init__(self, store: Store, settings: ConversationSettings, ended: Callable[[State], None]) -> None:
        self.owner = uuid4().hex
        self._store, self._settings, self._ended = store, settings, ended
        self._answers: dict[str, RunningAnswer] = {}
        self._keeping = Periodic("conversation-keeper", self._keep, settings.flush_seconds)
        self._sweeping = Periodic("conversation-sweeper", store.expire, settings.lease_seconds / 2)

    @property
    def count(self) -> int:
        """The number of answers that run here."""
        return len(self._answers)

    def start(self) -> None:
        """Start writing, and looking for answers of dead processes."""
        self._keeping.start()
        self._sweeping.start()

    async def stop(self) -> None:
        """Stop all answers, and store what they have."""
        running = list(self._answers.values())
        for one in running:
            one.stop()
        for one in running:
            await one.settled()
        await self._keeping.stop()
        await self._sweeping.stop()

    def running(self, conversation: str) -> RunningAnswer | None:
        """Returns the answer that runs here in a conversation."""
        return self._answers.get(conversation)

    def run(self, begun: Begun, source: Source, cut: Cut, asked: Callable[[], Sequence[str]]) -> RunningAnswer:
        """Have the model answer; `asked` returns the texts of the prompt."""
        conversation = begun.answer.conversation
        patience = self._settings.lease_seconds
        one = RunningAnswer(
            self._store,
            self.owner,
            begun,
            source,
            cut,
            asked=asked,
            patience=patience,
            grown=lambda: self._grown(one),
        )
        self._answers[conversation] = one
        one.on_end(self._gone)
        return one

    def _gone(self, one: RunningAnswer) -> None:
        conversation = one.begun.answer.conversation
        if self._answers.get(conversation) is one:
            del self._answers[conversation]
        if not one.refused:
            self._ended(one.state)

    def _grown(self, one: RunningAnswer) -> None:
        if one.unflushed >= self._settings.flush_bytes:
            self._keeping.poke()

    async def _keep(self) -> None:
        running = dict(self._answers)
        if not running:
            return
        written = {conversation: one.written() for conversation, one in running.items()}
        try:
            held = (await self._store.keep(self.owner, self._settings.lease_seconds, written)).answers
        except Unavailable:
            for one in running.values():
                one.unwritten()
            raise
        self._obey(running, held)

    def _obey(self, running: Mapping[str, RunningAnswer], held: Mapping[str, tuple[int, bool]]) -> None:
        for conversation, one in running.items():
            sequence, stop = held.get(conversation, (0, False))
            if sequence != one.begun.answer.sequence:
                one.lose()  # does nothing if it has just ended
            elif stop:
                one.stop()
