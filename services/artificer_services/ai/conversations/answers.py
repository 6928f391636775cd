"""Sends messages and streams the answers to them; has them repeated, replayed and stopped.

Works on a `Store` and on models. Knows no protos and no database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from ...kit.errors import ServiceError, Unavailable
from ...kit.fields import renamed
from ..grounding.values import Ended, Event, Text
from ..library.values import Query
from ..models.values import Chat, Options, Usage
from . import rules
from .errors import Answering, NoMessage
from .history import History, Plan, prompt_of, system_text
from .interfaces import ChatModels, GroundedAnswers
from .runner import Runner
from .running import RunningAnswer
from .settings import ConversationSettings
from .store import Background, Begin, Begun, Known, Store, Summary
from .summaries import Summaries
from .values import AnswerEvent, Finished, Message, RequestId, Sending, Sent, Started, State

_ATTEMPTS = 5  # to begin an answer in a conversation that changes meanwhile
_POLL_SECONDS = 0.25  # between looks at an answer that runs in another process

# What retrieval, grounding and models call the user's message and its options.
_FIELDS = {"question": "content", "query": "content", "messages": "content", "max_tokens": "options.max_tokens"}

Events = AsyncGenerator[Sequence[AnswerEvent], None]


class AnswerStreams:
    """Answers of models in conversations. `grounded` is None on a server without collections."""

    def __init__(
        self,
        store: Store,
        models: ChatModels,
        grounded: GroundedAnswers | None,
        runner: Runner,
        settings: ConversationSettings,
    ) -> None:
        self._store, self._models, self._grounded, self._runner = store, models, grounded, runner
        self._settings = settings
        self._history, self._summaries = History(models, settings), Summaries(models, settings)
        self._beginning: set[asyncio.Task[RunningAnswer | Known]] = set()

    async def send(self, sending: Sending) -> Events:
        """Store a message and yield the events of its answer. Closing it stops the model.

        A message with a known request id is not stored again: what is stored is yielded. Raises the model's errors,
        behind the last event if the answer has begun, and Invalid, Conflict, NoConversation, Answering, Full.
        """
        self.check(sending)
        rules.conversation_id(sending.conversation)
        request = rules.request_of(sending.request_id, sending.caller, sending.content, sending.options)
        known = await self._store.sent(sending.conversation, request) if request.id else None
        answer = known or await self._shielded(sending, sending.content, request)
        async with aclosing(self._events(answer, request.id)) as events:
            async for batch in events:
                yield batch

    async def regenerate(self, conversation: str, options: Options, caller: str = "") -> Events:
        """Yield the events of another answer to the last message of the user, as `send` does."""
        rules.conversation_id(conversation)
        sending = Sending(conversation=conversation, content="", options=options, caller=caller)
        answer = await self._shielded(sending, None, RequestId())
        async with aclosing(self._events(answer)) as events:
            async for batch in events:
                yield batch

    def check(self, sending: Sending) -> None:
        """Raise Invalid for a message that cannot be sent."""
        rules.check_sending(sending, self._settings)

    async def stop(self, conversation: str) -> Message | None:
        """Stop the running answer, and return it as it was stored; None if none runs. Raises NoConversation."""
        rules.conversation_id(conversation)
        if running := self._runner.running(conversation):
            running.stop()
            try:
                return await running.result()
            except ServiceError:
                if running.refused:  # by the model, at the same moment: nothing is stored
                    return None
                raise
        await self._store.conversation(conversation)
        sequence = await self._store.request_stop(conversation)
        if not sequence:
            return None
        clock = asyncio.get_running_loop().time
        last = clock() + self._settings.stop_seconds
        while clock() < last:
            try:
                message = await self._store.message(conversation, sequence)
            except NoMessage:  # the model refused meanwhile, so that nothing is stored
                return None
            if message.state is not State.RUNNING:
                return message
            await self._store.expire([conversation])
            await asyncio.sleep(_POLL_SECONDS)
        raise Unavailable("the process that runs the answer has not stopped it yet; read the message again")

    # Beginning.

    async def _shielded(self, sending: Sending, content: str | None, request: RequestId) -> RunningAnswer | Known:
        """Begin an answer. If the caller leaves meanwhile, it is begun and then stopped, so that it has an owner."""
        task = asyncio.create_task(self._begin(sending, content, request), name="conversation-begin")
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_stop_begun)
            raise

    async def _begin(self, sending: Sending, content: str | None, request: RequestId) -> RunningAnswer | Known:
        for _ in range(_ATTEMPTS):
            background = await self._store.background(sending.conversation, max_bytes=self._settings.max_history_bytes)
            if background.conversation.answering:
                if not await self._store.expire([sending.conversation]):
                    raise Answering(sending.conversation)
                continue
            plan = await self._history.plan(background, content, sending.options.max_tokens)
            begun = await self._store.begin(self._to_begin(sending, content, request, background, plan))
            if isinstance(begun, Known):
                return begun
            if begun is not None:
                return self._run(begun, sending, background, plan)
        raise Answering(sending.conversation)

    def _to_begin(
        self, sending: Sending, content: str | None, request: RequestId, background: Background, plan: Plan
    ) -> Begin:
        return Begin(
            conversation=sending.conversation,
            last=background.last,
            content=content,
            request=request,
            title=rules.title_of(content or ""),
            model=plan.info.name,
            cut=plan.cut,
            owner=self._runner.owner,
            lease=self._settings.lease_seconds,
            most_messages=self._settings.max_messages,
        )

    def _run(self, begun: Begun, sending: Sending, background: Background, plan: Plan) -> RunningAnswer:
        project = background.project
        collections = background.conversation.collections or (project.collections if project else ())
        return self._runner.run(begun, lambda: self._generate(sending, collections, plan), plan.cut, plan.texts)

    async def _generate(
        self, sending: Sending, collections: Sequence[str], plan: Plan
    ) -> AsyncGenerator[Sequence[Event], None]:
        summary = plan.summary
        if plan.unread:
            summary = await self._summaries.summarize(plan, sending.caller)
            if summary:
                await self._store.keep_summary(sending.conversation, Summary(plan.upto, summary))
        if collections and self._grounded is not None:
            events = self._from_passages(self._grounded, sending, collections, plan, summary)
        else:
            events = self._from_model(sending, plan, summary)
        with renamed(_FIELDS):
            async with aclosing(events) as batches:
                async for batch in batches:
                    yield batch

    async def _from_model(self, sending: Sending, plan: Plan, summary: str) -> AsyncGenerator[Sequence[Event], None]:
        messages = prompt_of(plan.instructions, summary, plan.turns)
        chat = Chat(messages=tuple(messages), options=sending.options)
        name = plan.info.name
        async with aclosing(self._models.generate(name, chat, caller=sending.caller)) as batches:
            async for batch in batches:
                events: list[Event] = [Text(text)] if (text := "".join(delta.text for delta in batch)) else []
                last = batch[-1]
                if last.finish:
                    events.append(Ended(finish=last.finish, usage=last.usage or Usage(), model=name))
                yield events

    def _from_passages(
        self, grounded: GroundedAnswers, sending: Sending, collections: Sequence[str], plan: Plan, summary: str
    ) -> AsyncGenerator[Sequence[Event], None]:
        return grounded.answer(
            collections,
            Query(text=plan.question),
            model=plan.info.name,
            history=plan.earlier(),
            instructions=system_text(plan.instructions, summary),
            options=sending.options,
            caller=sending.caller,
        )

    # Reading.

    def _events(self, answer: RunningAnswer | Known, request_id: str = "") -> Events:
        return self._replayed(answer, request_id) if isinstance(answer, Known) else self._read(answer)

    async def _read(self, running: RunningAnswer) -> Events:
        try:
            await running.announced()
            begun = running.begun
            yield [*([Sent(begun.user)] if begun.user else []), Started(begun.answer)]
            async for batch in running.events():
                yield batch
            yield [Finished(await running.result())]
            if running.error is not None:
                raise running.error
        finally:
            running.stop()  # does nothing behind the end

    async def _replayed(self, known: Known, request_id: str) -> Events:
        """Yields a stored message and its answer; one that still runs is followed as it is stored."""
        if not known.same:
            raise rules.sent_conflict(request_id, known.message.id)
        yield [Sent(known.message)]
        answer = await self._store.answer_after(known.message.conversation, known.message.sequence)
        if answer is None:
            return
        yield [Started(replace(answer, content="", state=State.RUNNING, ending=None, usage=None, citations=()))]
        shown = 0
        while answer.state is State.RUNNING:
            if len(answer.content) > shown:
                yield [Text(answer.content[shown:])]
                shown = len(answer.content)
            await asyncio.sleep(_POLL_SECONDS)
            await self._store.expire([answer.conversation])
            answer = await self._store.message(answer.conversation, answer.sequence)
        rest = [Text(answer.content[shown:])] if len(answer.content) > shown else []
        yield [*rest, *answer.citations, Finished(answer)]


def _stop_begun(task: asyncio.Task[RunningAnswer | Known]) -> None:
    if not task.cancelled() and task.exception() is None and isinstance(running := task.result(), RunningAnswer):
        running.stop()
