"""Chunks of llama.cpp's server, as parts of an answer."""

from __future__ import annotations

from typing import Any

from artificer_services.ai.models.local.answer import AnswerReader


def read(*chunks: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    reader = AnswerReader(sent.append)
    for chunk in chunks:
        reader.take(chunk)
    reader.end()
    return sent


def choice(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": finish, "delta": delta}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


def test_texts_are_sent_as_they_come_and_the_end_with_its_usage() -> None:
    chunks = (choice(role="assistant", content=None), choice(content="a"), choice(content="b"), choice("length"), USAGE)
    end = {"finish": "length", "tools": [], "prompt": 7, "completion": 2}
    assert read(*chunks) == [{"text": "a"}, {"text": "b"}, end]


def test_pieces_of_tool_calls_are_sent_whole_at_the_end() -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        names = {"id": f"c{index}"} if "name" in function else {}
        return choice(tool_calls=[{"index": index, **names, "function": function}])

    (end,) = read(
        piece(0, name="weather", arguments=""),
        piece(0, arguments='{"city": '),
        piece(1, name="time", arguments="{}"),
        piece(0, arguments='"Paris"}'),
        choice("tool_calls"),
        USAGE,
    )
    assert end["finish"] == "tool_calls"
    assert end["tools"] == [
        {"id": "c0", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"id": "c1", "name": "time", "arguments": "{}"},
    ]


def test_a_cancelled_answer_has_no_end() -> None:
    assert read(choice(content="a")) == [{"text": "a"}]


def test_errors_are_told_apart_by_whose_fault_they_are() -> None:
    long = {"type": "exceed_context_size_error", "code": 400, "n_prompt_tokens": 9, "n_ctx": 5}
    assert read({"error": long}) == [{"too_long": [9, 5]}]
    assert read({"error": {"code": 400, "message": "no such grammar"}}) == [{"refused": "no such grammar"}]
    assert read({"error": {"code": 500, "message": "out of memory"}}) == [{"failed": "out of memory"}]


def test_a_grammar_that_cannot_be_read_is_a_fault_of_the_schema() -> None:
    text = "Failed to initialize samplers: failed to parse grammar"
    (part,) = read({"error": {"code": 400, "message": text}})
    assert part["refused"].startswith("the JSON schema is too large")


def test_a_schema_that_allows_no_character_is_the_callers_fault() -> None:
    stuck = {"code": 500, "message": "got exception: Unexpected empty grammar stack after accepting piece: . (30)"}
    assert [list(part) for part in read({"error": stuck})] == [["refused"]]
