"""Streams of JSON messages, split as they arrive: the same elements for any chunk sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.framing.elements import ArraySplitter, LinesSplitter, Splitter
from diptych.status import Code, StatusError

LIMIT = 10_000

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def split(splitter: Splitter, data: bytes, sizes: list[int]) -> list[Any]:
    """Returns the elements when `data` is fed in pieces of these sizes, repeated."""
    found, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += splitter.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    return [json.loads(element) for element in (*found, *splitter.end())]


@given(st.lists(VALUES, max_size=6), st.lists(st.integers(1, 7), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_an_array_is_split_at_any_chunk_size(values: list[Any], sizes: list[int], plain: bool, wide: bool) -> None:
    text = json.dumps(values, ensure_ascii=plain, indent=2 if wide else None)
    assert split(ArraySplitter(LIMIT), b"\r\n " + text.encode("utf-8", "surrogatepass") + b" \n", sizes) == values


@given(st.lists(VALUES, max_size=6), st.lists(st.integers(1, 7), min_size=1, max_size=4), st.booleans())
def test_lines_are_split_at_any_chunk_size(values: list[Any], sizes: list[int], ended: bool) -> None:
    lines = [json.dumps(value) for value in values]
    text = "\r\n\n".join(lines) + ("\n" if ended else "")
    assert split(LinesSplitter(LIMIT), text.encode(), sizes) == values


@pytest.mark.parametrize(
    ("text", "elements", "said"),
    [
        (b"[1,2", [b"1"], "no closing ] after 2 elements"),
        (b"[1,2 \n", [b"1"], "no closing ] after 2 elements"),
        (b"[1,2,", [b"1", b"2"], "no closing ] after 2 elements"),
        (b'[{"a":[1]}', [], "no closing ] after 1 element"),
        (b'[{"a":[1]},{"a":[1', [b'{"a":[1]}'], "no closing ] after 1 element"),
        (b"[", [], "no closing ] after 0 elements"),
        (b'[{"a":"]', [], "no closing ] after 0 elements"),
        (b"[1,,2]", [b"1"], "empty element"),
        (b"[1,]", [b"1"], "empty element"),
        (b"[,1]", [], "empty element"),
        (b"[1}", [], "unmatched }"),
        (b"[1] [2]", [b"1"], "unexpected data after the JSON array"),
        (b"[]x", [], "unexpected data after the JSON array"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_a_broken_array_gives_its_first_elements_and_an_error(
    text: bytes, elements: list[bytes], said: str, size: int
) -> None:
    splitter, found = ArraySplitter(LIMIT), []
    pieces = iter([text[at : at + size] for at in range(0, len(text), size)])

    def step() -> None:
        for piece in pieces:
            found.extend(splitter.feed(piece))
        splitter.end()

    with pytest.raises(StatusError) as refused:
        step()
    assert refused.value.status.code is Code.INVALID_ARGUMENT
    assert said in str(refused.value.status)
    assert found == elements


@pytest.mark.parametrize(
    ("text", "elements"), [(b'{"a": [1]}', [b'{"a": [1]}']), (b"", []), (b" \n", []), (b"[ ]", [])]
)
def test_a_single_value_is_one_element_and_an_empty_body_none(text: bytes, elements: list[bytes]) -> None:
    splitter = ArraySplitter(LIMIT)
    assert [*splitter.feed(text), *splitter.end()] == elements


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}\n{"a":2}\n',
        b'\n {"a":1} \r\n\r\n{"a":',
        b'"x"\n"y"',
        b'{"a":"' + b"x" * 5000 + b'"}\n{}',
        b"{}\n" * 9000,
    ],
    ids=["lines", "spaces", "strings", "a long line", "more than the limit"],
)
def test_lines_that_are_sent_as_json_are_told_their_media_type(body: bytes, size: int) -> None:
    with pytest.raises(StatusError, match="application/x-ndjson") as refused:
        split(ArraySplitter(LIMIT), body, [size])
    assert refused.value.status.http_status == 400


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("body", [b'{\n"a":\n1}\n\n', b'\n\n{"a":1}\n', b'{"a":1}\r\n \t'])
def test_one_value_may_have_lines(body: bytes, size: int) -> None:
    assert split(ArraySplitter(LIMIT), body, [size]) == [{"a": 1}]


@pytest.mark.parametrize(("made", "opening"), [(ArraySplitter, b"["), (LinesSplitter, b"")])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "endless"])
def test_an_element_over_the_limit_is_refused_and_not_buffered(
    made: Callable[[int], Splitter], opening: bytes, whole: bool
) -> None:
    splitter = made(100)
    big = b'"' + b"x" * 200 + (b'",\n' if whole else b"")
    assert splitter.feed(opening + b"1,\n" if opening else b"1\n") == [b"1"]
    assert splitter.feed(big) == []
    with pytest.raises(StatusError) as refused:
        splitter.feed(b"2")
    assert (refused.value.status.code, refused.value.status.http_status) == (Code.RESOURCE_EXHAUSTED, 413)


@pytest.mark.parametrize("depth", [1, 3, 4, 5, 40])
def test_deep_elements_are_split_as_shallow_ones_are(depth: int) -> None:
    element = b'{"]":' * depth + b'["\\"}"]' + b"}" * depth
    assert ArraySplitter(LIMIT).feed(b"[ %b ,%b,\n1,%b]" % ((element,) * 3)) == [
        b" %b " % element,
        element,
        b"\n1",
        element,
    ]


def test_a_long_string_of_escapes_is_scanned_once() -> None:
    element = b'"' + b'\\"[' * 50_000 + b'"'
    splitter, found = ArraySplitter(1_000_000), []
    data = b"[" + element + b",0]"
    for at in range(0, len(data), 997):
        found += splitter.feed(data[at : at + 997])
    assert [*found, *splitter.end()] == [element, b"0"]
