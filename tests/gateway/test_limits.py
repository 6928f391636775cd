"""How deep and how large a JSON text may be: the counts, without the characters in strings.

The tables hold the ways a text can look deeper than it is; Hypothesis compares with a reader of characters.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.codec import JsonLimits
from diptych.status import StatusError

BOTH_WAYS = True


@pytest.mark.parametrize(
    ("text", "deep", "why"),
    [
        ("[" * 4, False, "at the limit"),
        ("[" * 5, True, "never closed"),
        ("[[[[]]]]" * 9, False, "at the limit, again and again"),
        ("[" + "[[[[]]]]" * 9 + "]", True, "one more"),
        ('{"a":[{"b":[]}]}' * 3, False, "objects count as arrays do"),
        ('{"a":[{"b":[{}]}]}', True, "five"),
        ('["[[[[[[["]', False, "a string"),
        ('["[[[[[[[', False, "a string that never ends"),
        ('["\\"[[[[[[["]', False, "an escaped quote"),
        ('["\\\\",[[[[[[[', True, "an escaped backslash ends the string"),
        ('["a\\', False, "cut off in an escape"),
        ("[" * 3 + "]" * 3 + "[" * 3 + "]" * 3, False, "side by side"),
    ],
)
def test_depth_is_counted_outside_strings(text: str, deep: bool, why: str) -> None:
    limits = JsonLimits(depth=4)
    if deep:
        with pytest.raises(StatusError, match="deeper than 4"):
            limits.check(text.encode())
    else:
        limits.check(text.encode())


@pytest.mark.parametrize(
    ("text", "many"),
    [("[1,2,3,4]", False), ("[1,2,3,4,5]", True), ("[[],[],[]]", True), ('["a,b,c,d,e,f"]', False), ("{},{},", False)],
)
def test_elements_are_counted_outside_strings(text: str, many: bool) -> None:
    limits = JsonLimits(elements=4)
    if many:
        with pytest.raises(StatusError, match="more than 4 values"):
            limits.check(text.encode())
    else:
        limits.check(text.encode())


def reference(text: str) -> tuple[int, int]:
    """The deepest nesting and the number of brackets and commas, read character by character."""
    depth = deepest = elements = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        else:
            depth += (letter in "[{") - (letter in "]}")
            deepest = max(deepest, depth)
            elements += letter in "[{,"
    return deepest, elements


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('[]{},"\\a'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{},"\\a'), inner),
    max_leaves=40,
)


@given(json_values, st.integers(1, 8), st.integers(1, 20), st.booleans())
def test_limits_agree_with_a_reader_of_characters(value: object, depth: int, elements: int, loose: bool) -> None:
    text = json.dumps(value, separators=(", ", ": ") if loose else (",", ":"))
    deepest, many = reference(text)
    try:
        JsonLimits(depth=depth, elements=elements).check(text.encode())
        taken = True
    except StatusError:
        taken = False
    assert taken == (deepest <= depth and many <= elements)


HOSTILE = [
    (b"[" * 10_000_000, False, "opened and never closed"),
    (b"[]" * 450_000, True, "side by side"),
    (b"[" * 450_000 + b"]" * 450_000, False, "closed again"),
    (b'"' + b'\\"' * 5_000_000, True, "a string of escaped quotes that never ends"),
    (b'["' + b"[" * 10_000_000 + b'"]', True, "one long string"),
    (b'"' * 10_000_000, True, "quotes"),
    (b"\\" * 10_000_000, True, "backslashes"),
    (b"{[" * 200_000 + b'"\\', False, "cut off"),
    (b'["a","[",' * 300_000, False, "strings with brackets"),
]


@pytest.mark.parametrize(("body", "taken", "_why"), HOSTILE, ids=[row[2] for row in HOSTILE])
def test_millions_of_brackets_and_quotes_are_scanned_once(body: bytes, taken: bool, _why: str) -> None:
    """Quadratic scans of these would take hours."""
    if taken:
        JsonLimits().check(body)
    else:
        with pytest.raises(StatusError):
            JsonLimits().check(body)
