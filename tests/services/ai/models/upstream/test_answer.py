"""Chunks of answers, as different servers send them, become deltas."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer_services.ai.models.upstream.answer import DONE, AnswerReader, ErrorInAnswer, WrongForm
from artificer_services.ai.models.values import Delta, Finish, ToolCall, Usage


def chunk(delta: Any = None, finish: str | None = None, **fields: Any) -> bytes:
    return orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **fields})


def call(fragment: Any) -> bytes:
    return chunk({"tool_calls": [fragment]})


def read(*events: bytes) -> list[Delta]:
    reader, found = AnswerReader(), list[Delta]()
    reader.read(events, found)
    return [*found, *reader.last()]


USAGE = orjson.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
END = chunk({}, "stop")
STOP = Delta(finish=Finish.STOP)


@pytest.mark.parametrize(
    ("events", "deltas"),
    [
        (
            [
                chunk({"role": "assistant", "content": ""}),
                chunk({"content": "a"}),
                chunk({"content": "b"}),
                END,
                USAGE,
                DONE,
            ],
            [Delta("a"), Delta("b"), Delta(finish=Finish.STOP, usage=Usage(prompt=3, completion=2))],
        ),
        ([chunk({"content": "a"}, "length")], [Delta("a"), Delta(finish=Finish.LENGTH)]),  # no [DONE]
        ([chunk({"content": "a"}), DONE], [Delta("a"), STOP]),  # no finish reason
        ([chunk({"content": "a"}, "eos"), DONE, b"more"], [Delta("a"), STOP]),  # a reason of its own
        (
            [chunk({"content": "a"}, usage={"prompt_tokens": 1, "completion_tokens": 1}), END],
            [Delta("a"), Delta(finish=Finish.STOP, usage=Usage(prompt=1, completion=1))],
        ),
        ([b'{"id": "1"}', chunk(None), chunk({"content": None}), END], [STOP]),
        ([chunk({"reasoning_content": "hm", "content": None}), chunk({"content": "a"}), END], [Delta("a"), STOP]),
        ([chunk({"refusal": "no"}), END], [Delta("no"), Delta(finish=Finish.CONTENT_FILTER)]),
        (
            [chunk({"content": "a"}, usage={"prompt_tokens": -1, "completion_tokens": "x"}), END],
            [Delta("a"), Delta(finish=Finish.STOP, usage=Usage())],
        ),
        (
            [chunk({"content": "a"}, usage={"prompt_tokens": 2**31, "completion_tokens": 2**63}), END],
            [Delta("a"), Delta(finish=Finish.STOP, usage=Usage())],
        ),
    ],
)
def test_texts(events: list[bytes], deltas: list[Delta]) -> None:
    assert read(*events) == deltas


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        (  # OpenAI: the first fragment has id and name
            [
                {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": ""}},
                {"index": 0, "function": {"arguments": '{"a"'}},
                {"index": 1, "id": "2", "function": {"name": "g", "arguments": "{}"}},
                {"index": 0, "function": {"arguments": ": 1}"}},
            ],
            [("1", "f", '{"a": 1}'), ("2", "g", "{}")],
        ),
        (  # whole calls without an index
            [
                {"id": "1", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "function": {"name": "f", "arguments": "{}"}},
            ],
            [("1", "f", "{}"), ("2", "f", "{}")],
        ),
        (  # every call with index 0
            [
                {"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "id": "2", "function": {"name": "g"}},
            ],
            [("1", "f", "{}"), ("2", "g", "")],
        ),
        (  # id and name in every fragment
            [
                {"index": 0, "id": "1", "function": {"name": "f", "arguments": "{"}},
                {"index": 0, "id": "1", "function": {"name": "f", "arguments": "}"}},
            ],
            [("1", "f", "{}")],
        ),
        ([{"index": 0, "id": "1", "function": {"name": "f", "arguments": {"a": 1}}}], [("1", "f", '{"a":1}')]),
        (  # no index after the first
            [{"id": "1", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}}],
            [("1", "f", "{}")],
        ),
    ],
)
def test_fragments_of_tool_calls_become_whole_calls(fragments: list[Any], calls: list[tuple[str, str, str]]) -> None:
    whole = tuple(ToolCall(id=one, name=name, arguments=arguments) for one, name, arguments in calls)
    events = [call(fragment) for fragment in fragments]
    assert read(*events, chunk({}, "tool_calls")) == [Delta(tool_calls=whole), Delta(finish=Finish.TOOL_CALLS)]


def test_a_call_without_an_id_gets_one() -> None:
    (called, _) = read(call({"index": 0, "function": {"name": "f"}}), DONE)
    assert called.tool_calls[0].id.startswith("call_")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (b"<html>", "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"a": 1}, {"b": 2}', "not JSON"),
        (b'{"choices": 3}', "choices of the wrong form"),
        (b'{"choices": ["x"]}', "choices of the wrong form"),
        (chunk("x"), "delta of the wrong form"),
        (chunk({"content": 3}), "content that is not a text"),
        (chunk({"tool_calls": {}}), "tool calls of the wrong form"),
        (call("x"), "tool call of the wrong form"),
        (call({"function": {"name": 3}}), "tool call of the wrong form"),
        (chunk({"tool_calls": [{"id": str(number), "function": {"name": "f"}} for number in range(129)]}), "too many"),
    ],
)
def test_wrong_forms_are_refused_alone_and_among_others(event: bytes, text: str) -> None:
    for before in ([], [chunk({"content": "a"})]):
        found: list[Delta] = []
        with pytest.raises(WrongForm, match=text):
            AnswerReader().read([*before, event], found)
        assert found == [Delta("a")] * len(before)


def test_an_answer_that_breaks_off_is_refused() -> None:
    with pytest.raises(WrongForm, match="breaks off"):
        read(chunk({"content": "a"}))
    with pytest.raises(WrongForm, match="without a name"):
        read(call({"id": "1", "function": {}}), DONE)


def test_an_error_in_a_stream_is_told_apart() -> None:
    with pytest.raises(ErrorInAnswer) as raised:
        read(chunk({"content": "a"}), b'{"error": {"message": "out of memory"}}')
    assert raised.value.body == {"error": {"message": "out of memory"}}


def test_an_answer_that_was_not_streamed() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    answer = {
        "choices": [
            {"message": {"role": "assistant", "content": "a", "tool_calls": calls}, "finish_reason": "tool_calls"}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    whole = ToolCall(id="1", name="f", arguments="{}")
    assert AnswerReader().whole(answer) == [
        Delta("a"),
        Delta(tool_calls=(whole,)),
        Delta(finish=Finish.TOOL_CALLS, usage=Usage(prompt=3, completion=2)),
    ]
    with pytest.raises(WrongForm):
        AnswerReader().whole({"choices": []})


NAMES = (
    "choices",
    "delta",
    "message",
    "content",
    "refusal",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "index",
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.sampled_from(("", "a", "stop")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(
            st.fixed_dictionaries(
                {}, optional={"delta": st.dictionaries(st.sampled_from(NAMES), VALUES), "finish_reason": VALUES}
            ),
            max_size=2,
        )
        | VALUES,
        "usage": VALUES,
        "error": VALUES,
    },
)


@given(chunks=st.lists(CHUNKS | VALUES, max_size=4))
def test_whatever_a_server_sends_is_an_answer_or_an_error_of_it(chunks: list[Any]) -> None:
    reader, found = AnswerReader(), list[Delta]()
    with suppress(WrongForm, ErrorInAnswer):
        reader.read([orjson.dumps(one) for one in chunks], found)
        found += reader.last()
    with suppress(WrongForm, ErrorInAnswer):
        for one in chunks:
            AnswerReader().whole(one)
    assert all(isinstance(delta.text, str) for delta in found)
