"""What a model reads of a long conversation, and what the answer says about the rest."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from artificer.ai.v1 import chat_pb2
from artificer.conversation.v1 import conversation_service_pb2 as pb
from artificer_services.ai.conversations.store import Begin, Begun, End
from artificer_services.ai.conversations.values import Cut, RequestId, State
from artificer_services.ai.models.values import Chat

from .conftest import Serve, Served, fields_of, refused

QUESTION = "one two three four five"  # 7 tokens by the scripted model's estimate, with one for the message


class Prompts:
    """Records the prompts that the scripted model gets."""

    def __init__(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chats: list[Chat] = []
        stream = served.model.stream

        def recorded(chat: Chat) -> Any:
            self.chats.append(chat)
            return stream(chat)

        monkeypatch.setattr(served.model, "stream", recorded)

    def contents(self, at: int = -1) -> list[str]:
        return [message.content for message in self.chats[at].messages]

    def roles(self, at: int = -1) -> list[str]:
        return [message.role for message in self.chats[at].messages]


def finished(events: list[pb.AnswerEvent]) -> pb.Message:
    return events[-1].finished


async def test_the_oldest_turns_are_dropped_and_the_answer_says_so(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(place, chat={"replies": ("a b c",), "context_tokens": 60}, answer_tokens=20) as served:
        prompts = Prompts(served, monkeypatch)
        id_ = await served.start(instructions="Be brief.")
        answers = [finished(await served.send(id_, f"{QUESTION} {number}")) for number in range(6)]
        assert [one.history_cut.dropped_messages for one in answers] == [0, 0, 0, 2, 4, 6]
        assert not answers[2].HasField("history_cut")
        assert not answers[3].history_cut.summarized
        assert prompts.contents() == [
            "Be brief.",
            *(f"{QUESTION} 3", "a b c", f"{QUESTION} 4", "a b c", f"{QUESTION} 5"),
        ]
        assert prompts.roles() == ["system", "user", "assistant", "user", "assistant", "user"]
        stored = await served.messages(id_)
        assert (len(stored), stored[-1].history_cut) == (12, answers[-1].history_cut)


async def test_the_oldest_turns_are_summarised_once_for_several_answers(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = {"replies": ("a b c",), "context_tokens": 400}
    async with serve(place, chat=chat, answer_tokens=200, summary_tokens=20) as served:
        prompts = Prompts(served, monkeypatch)
        id_ = await served.start(history_policy=pb.HISTORY_POLICY_SUMMARIZE)
        question = f"{QUESTION} " * 4
        answers = []
        for number in range(20):
            answers.append(finished(await served.send(id_, f"{question}{number}")))
        summaries = [chat for chat in prompts.chats if "summarise" in chat.messages[0].content]
        assert 1 < len(summaries) < 6
        assert summaries[0].options.max_tokens == 20
        assert "User: one two three" in summaries[0].messages[1].content
        assert "Summary so far:\na b c" in summaries[1].messages[1].content
        assert answers[-1].history_cut.summarized
        assert answers[-1].history_cut.dropped_messages > 0
        assert prompts.contents()[0] == "Summary of the earlier part of this conversation:\na b c"
        assert prompts.roles()[:2] == ["system", "user"]
        kept = len(prompts.contents()) - 1
        assert answers[-1].history_cut.dropped_messages == 39 - kept  # the answer itself is none of the 40
        background = await served.service.conversations.store.background(id_, max_bytes=10**6)
        assert background.summary is not None
        assert background.summary.content == "a b c"
        fork = await served.stub.ForkConversation(pb.ForkConversationRequest(conversation=id_))
        copied = await served.service.conversations.store.background(fork.id, max_bytes=10**6)
        assert copied.summary == background.summary


async def test_a_turn_beyond_the_context_is_summarised_by_its_beginning(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = {"replies": ("a b c", "word " * 3000), "context_tokens": 1000}
    async with serve(place, chat=chat, answer_tokens=200, summary_tokens=50) as served:
        prompts = Prompts(served, monkeypatch)
        id_ = await served.start(history_policy=pb.HISTORY_POLICY_SUMMARIZE)
        await served.send(id_, "One")
        await served.send(id_, "Two")  # a long answer
        answer = finished(await served.send(id_, "Three"))
        assert answer.history_cut.summarized
        assert answer.state == pb.MESSAGE_STATE_COMPLETE
        assert all(sum(len(one.content) for one in chat.messages) < 4000 for chat in prompts.chats)


async def test_a_message_that_does_not_fit_alone_is_refused_with_numbers(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"context_tokens": 100}, answer_tokens=20) as served:
        id_ = await served.start()
        await served.send(id_, "Hello")
        for options, room in ((None, 20), (chat_pb2.ChatOptions(max_tokens=60), 60)):
            request = pb.SendMessageRequest(conversation=id_, content="word " * 90, options=options)
            error = await refused(served.stub.SendMessage(request).read())
            assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["content"])
            text = error.details() or ""
            assert "91 tokens" in text
            assert "holds 100" in text
            assert f"{room} are left for the answer" in text
        assert len(await served.messages(id_)) == 2


async def test_messages_without_an_answer_are_read_as_one(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(place, chat={"replies": ("Yes.",), "fail_after": 0}) as failing:
        id_ = await failing.start()
        error = await refused(failing.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="One")).read())
        assert error.code() == grpc.StatusCode.INTERNAL
        assert await failing.messages(id_) == []  # nothing had been generated
    async with serve(place) as served:
        prompts = Prompts(served, monkeypatch)
        store = served.service.conversations.store
        begun = await store.begin(
            Begin(
                conversation=id_,
                last=(await store.background(id_, max_bytes=1)).last,
                content="One",
                request=RequestId(),
                title="",
                model="scripted",
                cut=Cut(),
                owner="me",
                lease=30,
                most_messages=9,
            )
        )
        assert isinstance(begun, Begun)
        await store.finish(id_, begun.answer.sequence, "me", End(content="", state=State.FAILED))
        await served.send(id_, "Two")
        assert (prompts.roles(), prompts.contents()) == (["user"], ["One\n\nTwo"])
