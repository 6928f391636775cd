"""Citations: sentences, the model's marks, and the words by which the server finds what supports an answer."""

from __future__ import annotations

import pytest

from artificer_services.ai.grounding.citations import Citations, best_sentence
from artificer_services.ai.grounding.sentences import sentences, words
from artificer_services.ai.library.values import Chunk, Passage, Span

HOLIDAYS = "# Holidays\n\nEvery employee has 30 days of paid leave each year. Leave that is not taken by March expires."
TRAVEL = "Trains are booked in second class. Hotels may cost at most 120 euros a night.\n\n- Taxis need an approval."
OFFICE = "The office is open from nine to seven. The code of the door is changed on the first Monday of each month."


def passage(text: str, *, start: int = 0, headings: tuple[str, ...] = ()) -> Passage:
    """A passage that begins at a character of its document."""
    chunk = Chunk(index=0, text=text, span=Span(start, start + len(text), 1, 1), headings=headings)
    return Passage(collection="c", document="d", document_name="D", metadata={}, chunk=chunk, score=1.0)


PASSAGES = [passage(HOLIDAYS), passage(TRAVEL), passage(OFFICE)]


def cited(answer: str, question: str = "", pieces: int = 1) -> list[tuple[int, str, str, bool]]:
    """The passages, quotes and supported parts of an answer that arrives in pieces of so many characters."""
    citations = Citations(question, PASSAGES)
    found = []
    for at in range(0, len(answer), pieces):
        found += citations.add(answer[at : at + pieces])
    found += citations.finish()
    texts = [one.chunk.text for one in PASSAGES]
    return [
        (
            one.number,
            texts[one.number - 1][one.start : one.end],
            answer[one.answer_start : one.answer_end],
            one.by_model,
        )
        for one in found
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It costs 1.50 euros. Fine.", ["It costs 1.50 euros.", "Fine."]),
        ("Dr. Lind lives in St. Ives. She reads.", ["Dr. Lind lives in St. Ives.", "She reads."]),
        ("He said \u201cno.\u201d Then left.", ["He said \u201cno.\u201d", "Then left."]),
        ("True [1]. Also. [2][3] Next", ["True [1].", "Also. [2][3]", "Next"]),
        (
            "# Title\n\nText over\ntwo lines.\n- item\n- other",
            ["# Title", "Text over\ntwo lines.", "- item", "- other"],
        ),
        ("\u732b\u306f\u5bdd\u308b\u3002\u72ac\u3082\u3002", ["\u732b\u306f\u5bdd\u308b\u3002", "\u72ac\u3082\u3002"]),
        ("  \n ", []),
    ],
)
def test_sentences_with_their_places(text: str, parts: list[str]) -> None:
    found = sentences(text)
    assert [one.text for one in found] == parts
    assert all(text[one.start : one.end] == one.text for one in found)


def test_words_are_compared_by_their_stems() -> None:
    assert set(words("Booking trains")) == set(words("booked TRAIN"))
    assert words("1.50 euros") == ["1.50", "euro"]
    assert words("\u6771\u4eac\u90fd") == ["\u6771\u4eac", "\u4eac\u90fd"]


@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_a_mark_quotes_the_sentence_that_it_means(pieces: int) -> None:
    answer = "Hotels may cost 120 euros a night [2]. Leave expires in March. [1, 9]"
    assert cited(answer, pieces=pieces) == [
        (2, "Hotels may cost at most 120 euros a night.", "Hotels may cost 120 euros a night [2].", True),
        (1, "Leave that is not taken by March expires.", "Leave expires in March. [1, 9]", True),
    ]


def test_a_mark_without_shared_words_quotes_the_whole_passage() -> None:
    assert cited("Gleitzeit gibt es nicht [3].") == [(3, OFFICE, "Gleitzeit gibt es nicht [3].", True)]


@pytest.mark.parametrize("mark", ["[0]", "[4]", "[999]", "[1000]", "[]", "[x]", "[-1]"])
def test_marks_of_no_passage_are_dropped(mark: str) -> None:
    assert cited(f"Xyzzy plugh {mark}.") == []


def test_a_wrong_mark_gives_way_to_the_words_of_another_passage() -> None:
    answer = "Every employee has 30 days of paid leave each year [3]."
    assert [(number, by_model) for number, _, _, by_model in cited(answer)] == [(1, False)]


def test_the_words_decide_without_marks() -> None:
    answer = "The hotel may cost at most 120 euros. The door code changes on the first Monday of the month."
    assert [(number, quote, by_model) for number, quote, _, by_model in cited(answer)] == [
        (2, "Hotels may cost at most 120 euros a night.", False),
        (3, "The code of the door is changed on the first Monday of each month.", False),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "Hotels may cost at most 150 euros a night.",  # another number
        "The moon is made of cheese.",
        "I do not know.",
        "The",
        "",
        "...",
    ],
)
def test_what_no_passage_says_is_not_cited(answer: str) -> None:
    assert cited(answer) == []


def test_a_short_answer_is_told_by_the_question() -> None:
    assert cited("30 days.", "How many days of leave has an employee?") == [
        (1, "Every employee has 30 days of paid leave each year.", "30 days.", False)
    ]


def test_two_sentences_are_quoted_for_one_that_needs_both() -> None:
    answer = "Trains are booked in second class and hotels may cost at most 120 euros a night."
    assert [quote for _, quote, _, _ in cited(answer)] == [TRAVEL.partition("\n")[0]]


def test_an_answer_without_an_end_is_cited_in_bounded_parts() -> None:
    citations = Citations("", PASSAGES)
    assert [citations.add("word " * 100) for _ in range(50)] == [[] for _ in range(50)]
    assert len(citations.finish()) == 0


def test_the_best_sentence_for_a_question() -> None:
    assert best_sentence("How much may a hotel cost?", PASSAGES) == (2, "Hotels may cost at most 120 euros a night.")
    assert best_sentence("xyzzy", PASSAGES) is None
    assert best_sentence("xyzzy", []) is None
