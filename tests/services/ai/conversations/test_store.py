"""What the store promises of messages and answers, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from artificer_services.ai.conversations.errors import (
    Answering,
    Full,
    NoConversation,
    NoMessage,
    NothingToAnswer,
)
from artificer_services.ai.conversations.sql_store import SqlStore
from artificer_services.ai.conversations.store import Begin, Begun, End, Known, Summary, Written
from artificer_services.ai.conversations.values import (
    Conversation,
    Cut,
    Draft,
    Ending,
    HistoryPolicy,
    RequestId,
    State,
)
from artificer_services.ai.grounding.values import Citation
from artificer_services.ai.library.values import Span
from artificer_services.ai.models.values import Usage

CITATION = Citation(
    passage=1,
    collection="books",
    document="one",
    span=Span(3, 9, 1, 2),
    quote="Zwölf \U0001f600",
    answer_start=0,
    answer_end=4,
    by_model=True,
)


async def conversation(store: SqlStore, **fields: Any) -> Conversation:
    return (await store.create_conversation(Draft(**fields), RequestId())).resource


def beginning(conversation_id: str, last: int = 0, content: str | None = "Hello", **fields: Any) -> Begin:
    usual: dict[str, Any] = {
        "request": RequestId(),
        "title": "Hello",
        "model": "scripted",
        "cut": Cut(),
        "owner": "me",
        "lease": 30.0,
        "most_messages": 1000,
    }
    return Begin(conversation=conversation_id, last=last, content=content, **{**usual, **fields})


async def begun(store: SqlStore, begin: Begin) -> Begun:
    done = await store.begin(begin)
    assert isinstance(done, Begun)
    return done


async def answered(store: SqlStore, id_: str, last: int = 0, content: str | None = "Hello", text: str = "Hi") -> int:
    """Store a message and its answer; returns the last number."""
    one = await begun(store, beginning(id_, last, content))
    assert await store.finish(id_, one.answer.sequence, "me", End(content=text, state=State.COMPLETE))
    return one.answer.sequence


async def contents(store: SqlStore, id_: str) -> list[str]:
    return [one.content for one in await store.messages(id_, after=0, limit=100, max_bytes=10**6)]


async def test_an_answer_is_begun_kept_and_finished(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    one = await begun(store, beginning(id_, request=RequestId("r", "", b"d"), cut=Cut(3, summarized=True)))
    assert one.user is not None
    assert (one.user.content, one.user.role, one.user.state) == ("Hello", "user", State.COMPLETE)
    assert (one.answer.content, one.answer.state, one.answer.model) == ("", State.RUNNING, "scripted")
    assert one.answer.cut == Cut(3, summarized=True)
    assert one.user.id < one.answer.id
    assert (await store.conversation(id_)).answering
    held = await store.keep("me", 30, {id_: Written(one.answer.sequence, "Half", (CITATION,))})
    assert held.answers == {id_: (one.answer.sequence, False)}
    stored = await store.message(id_, one.answer.sequence)
    assert (stored.content, stored.state, stored.citations) == ("Half", State.RUNNING, (CITATION,))
    assert (await store.keep("other", 30, {id_: Written(one.answer.sequence, "Not mine")})).answers == {}
    end = End(
        content="Half and half",
        state=State.COMPLETE,
        ending=Ending.STOP,
        usage=Usage(prompt=7, completion=3),
        citations=(CITATION,),
    )
    finished = await store.finish(id_, one.answer.sequence, "me", end)
    assert finished == await store.message(id_, one.answer.sequence)
    assert finished is not None
    assert (finished.content, finished.ending, finished.usage) == (end.content, Ending.STOP, end.usage)
    assert await store.finish(id_, one.answer.sequence, "me", end) is None
    found = await store.conversation(id_)
    assert (found.answering, found.message_count) == (False, 2)


async def test_one_answer_runs_at_a_time(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    tries = await asyncio.gather(
        *(store.begin(beginning(id_, owner=f"owner {number}")) for number in range(6)), return_exceptions=True
    )
    assert [type(one) for one in tries].count(Begun) == 1
    assert [type(one) for one in tries].count(Answering) == 5
    assert len(await contents(store, id_)) == 2


async def test_a_changed_conversation_and_a_full_one_begin_nothing(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    await answered(store, id_)
    assert await store.begin(beginning(id_, last=0)) is None
    with pytest.raises(Full, match="3 messages"):
        await store.begin(beginning(id_, last=2, most_messages=3))
    with pytest.raises(NoConversation):
        await store.begin(beginning("none"))
    assert len(await contents(store, id_)) == 2


async def test_a_known_request_id_begins_nothing(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    request = RequestId("one", "ann", b"digest")
    one = await begun(store, beginning(id_, request=request))
    assert one.user is not None
    known = Known(one.user, same=True)
    assert await store.sent(id_, request) == known
    assert await store.begin(beginning(id_, request=request)) == known  # though an answer runs
    assert await store.sent(id_, replace(request, digest=b"other")) == Known(one.user, same=False)
    assert await store.sent(id_, replace(request, id="two")) is None
    assert await store.answer_after(id_, one.user.sequence) == one.answer
    assert await store.answer_after(id_, one.answer.sequence) is None


async def test_a_retracted_answer_leaves_nothing(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    one = await begun(store, beginning(id_, request=RequestId("one", "", b"")))
    assert (await store.conversation(id_)).display_name == "Hello"
    await store.retract(one, "other")
    assert len(await contents(store, id_)) == 2
    await store.retract(one, "me")
    found = await store.conversation(id_)
    assert (await contents(store, id_), found.message_count, found.display_name) == ([], 0, "")
    assert not found.answering
    assert await store.sent(id_, RequestId("one", "", b"")) is None


async def test_another_answer_replaces_the_last_one_when_it_begins(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    with pytest.raises(NothingToAnswer):
        await store.begin(beginning(id_, content=None))
    last = await answered(store, id_, text="first")
    one = await begun(store, beginning(id_, last, None))
    await store.retract(one, "me")
    assert await contents(store, id_) == ["Hello", "first"]
    one = await begun(store, beginning(id_, last + 1, None))
    await store.announce(id_, one.answer.sequence)
    assert await contents(store, id_) == ["Hello", ""]
    await store.finish(id_, one.answer.sequence, "me", End(content="second", state=State.COMPLETE))
    assert await contents(store, id_) == ["Hello", "second"]
    one = await begun(store, beginning(id_, one.answer.sequence, None))
    await store.finish(id_, one.answer.sequence, "me", End(content="third", state=State.COMPLETE))
    assert await contents(store, id_) == ["Hello", "third"]  # though nobody announced it
    assert (await store.conversation(id_)).message_count == 2


async def test_the_answers_of_dead_owners_fail_and_keep_what_was_stored(store: SqlStore) -> None:
    ids = [(await conversation(store)).id for _ in range(3)]
    for id_ in ids:
        one = await begun(store, beginning(id_, lease=30.0 if id_ == ids[2] else -1.0))
        # What `keep` renews it renews by its own lease.
        await store.keep("me", 30.0 if id_ == ids[2] else -1.0, {id_: Written(one.answer.sequence, "Half")})
    assert await store.expire() == 2
    assert await store.expire() == 0
    states = [(await store.message(id_, 2)).state for id_ in ids]
    assert states == [State.FAILED, State.FAILED, State.RUNNING]
    assert await contents(store, ids[0]) == ["Hello", "Half"]
    assert not (await store.conversation(ids[0])).answering
    assert await store.finish(ids[0], 2, "me", End(content="late", state=State.COMPLETE)) is None


async def test_a_dead_owner_does_not_hinder_the_next_answer(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    await begun(store, beginning(id_, lease=-1.0))
    assert await store.begin(beginning(id_, last=2)) is None  # the failed answer has changed what there is to read
    await begun(store, beginning(id_, last=2))
    assert [one.state for one in await store.messages(id_, after=0, limit=9, max_bytes=9)][:1] == [State.COMPLETE]


async def test_an_answer_whose_owner_dies_before_its_first_word_replaces_none(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    last = await answered(store, id_, text="first")
    await begun(store, beginning(id_, last, None, lease=-1.0))
    assert await store.expire([id_]) == 1
    assert await contents(store, id_) == ["Hello", "first"]
    found = await store.conversation(id_)
    assert (found.message_count, found.answering) == (2, False)


async def test_a_stop_is_seen_by_the_owner(store: SqlStore) -> None:
    id_ = (await conversation(store)).id
    assert await store.request_stop(id_) == 0
    one = await begun(store, beginning(id_))
    assert await store.request_stop(id_) == one.answer.sequence
    held = await store.keep("me", 30, {id_: Written(one.answer.sequence, None)})
    assert held.answers == {id_: (one.answer.sequence, True)}
    await store.delete_conversation(id_)
    assert (await store.keep("me", 30, {id_: Written(one.answer.sequence, "more")})).answers == {}
    assert await store.finish(id_, one.answer.sequence, "me", End(content="", state=State.STOPPED)) is None
    await store.retract(one, "me")


async def test_a_fork_has_the_messages_up_to_one(store: SqlStore) -> None:
    source = await conversation(store, display_name="Old", instructions="Be brief.", policy=HistoryPolicy.SUMMARIZE)
    last = await answered(store, source.id, 0, "one", "1")
    end = await answered(store, source.id, last, "two", "2")
    await store.keep_summary(source.id, Summary(last, "They count."))
    part = (await store.fork(source.id, last, "New", RequestId())).resource
    assert (part.display_name, part.forked_from, part.message_count) == ("New", source.id, 2)
    assert (part.instructions, part.policy) == ("Be brief.", HistoryPolicy.SUMMARIZE)
    assert await contents(store, part.id) == ["one", "1"]
    background = await store.background(part.id, max_bytes=10**6)
    assert (background.last, background.summary) == (last, Summary(last, "They count."))
    early = (await store.fork(source.id, 1, "", RequestId())).resource
    assert early.display_name == "Old"
    assert (await store.background(early.id, max_bytes=10**6)).summary is None
    one = await begun(store, beginning(source.id, end, "three"))
    whole = (await store.fork(source.id, None, "", RequestId())).resource
    assert await contents(store, whole.id) == ["one", "1", "two", "2", "three"]
    with pytest.raises(Answering):
        await store.fork(source.id, one.answer.sequence, "", RequestId())
    with pytest.raises(NoMessage):
        await store.fork(source.id, 99, "", RequestId())
    with pytest.raises(NoConversation):
        await store.fork("none", None, "", RequestId())
    await answered(store, part.id, part.message_count, "other way", "3")
    assert len(await contents(store, source.id)) == 6


async def test_the_background_has_the_newest_messages_of_a_size(store: SqlStore) -> None:
    project = (await store.create_project(Draft(instructions="Be kind."), RequestId())).resource
    id_ = (await conversation(store, project=project.id)).id
    last = 0
    for number in range(70):  # more than one batch
        last = await answered(store, id_, last, f"question {number:03}", f"answer {number:05}")
    whole = await store.background(id_, max_bytes=10**6)
    assert whole.project == project
    assert (len(whole.messages), whole.last, whole.summary) == (140, last, None)
    assert whole.messages[0].content == "question 000"
    part = await store.background(id_, max_bytes=30)
    assert [one.content for one in part.messages] == ["question 069", "answer 00069"]
    assert [one.content for one in (await store.background(id_, max_bytes=1)).messages] == ["answer 00069"]
    page = await store.messages(id_, after=0, limit=100, max_bytes=10**6)
    assert [one.sequence for one in page] == list(range(1, 101))
    assert len(await store.messages(id_, after=0, limit=100, max_bytes=1)) == 1
    with pytest.raises(NoConversation):
        await store.messages("none", after=0, limit=1, max_bytes=1)


async def test_old_conversations_are_purged_unless_one_answers(store: SqlStore) -> None:
    quiet, busy = await conversation(store), await conversation(store)
    await answered(store, quiet.id)
    await begun(store, beginning(busy.id))
    assert await store.purge(3600) == 0
    assert await store.purge(-1) == 1
    with pytest.raises(NoConversation):
        await store.conversation(quiet.id)
    assert (await store.conversation(busy.id)).answering
