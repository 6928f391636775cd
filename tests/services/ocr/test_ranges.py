"""The choice of pages: what is accepted, and which pages it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer_services.ocr.errors import BadChoice
from artificer_services.ocr.page.ranges import parse_pages, select_pages


def pages(text: str, total: int) -> list[int]:
    return [index + 1 for span in select_pages(parse_pages(text), total) for index in span]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("  ", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("1", [1]),
        ("1-3,7,10-", [1, 2, 3, 7, 10]),
        (" 1 - 3 , 7 ", [1, 2, 3, 7]),
        ("-2", [1, 2]),
        ("9-", [9, 10]),
        ("7,1-3", [1, 2, 3, 7]),  # in the order of the document
        ("1-5,2-3,5,6", [1, 2, 3, 4, 5, 6]),  # each once
        ("8-,9", [8, 9, 10]),
    ],
)
def test_the_pages_of_a_choice(text: str, expected: list[int]) -> None:
    assert pages(text, 10) == expected


@pytest.mark.parametrize(
    "text", ["0", "3-1", "a", "1,,2", "1;2", "-", "1-2-3", "+1", "1.5", "①", "1" * 20, "1," * 9999]
)
def test_what_is_no_choice_of_pages(text: str) -> None:
    with pytest.raises(BadChoice) as caught:
        parse_pages(text)
    assert caught.value.field == "pages"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("text", ["11", "1-11", "11-", "1,2-3,9-12"])
def test_a_page_beyond_the_end(text: str) -> None:
    with pytest.raises(BadChoice, match="the document has 10 pages") as caught:
        pages(text, 10)
    assert caught.value.field == "pages"


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1))
def test_every_page_named_is_chosen_once(parts: list[tuple[int, int]]) -> None:
    text = ",".join(f"{min(pair)}-{max(pair)}" for pair in parts)
    assert pages(text, 30) == sorted({page for a, b in parts for page in range(min(a, b), max(a, b) + 1)})
