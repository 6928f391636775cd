"""What a query's words are, before a database sees them."""

from __future__ import annotations

import pytest

from artificer_services.ai.library.words import asked_words


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("Where is the Eiffel Tower?", ["eiffel", "tower"]),
        ("the war and the peace", ["war", "peace"]),
        ("die hard", ["die", "hard"]),  # one word of a language does not tell it
        ("Wo ist das Haus?", ["haus"]),
        ("Où est la bibliothèque de Paris", ["bibliotheque", "paris"]),
        ("to be or not to be", ["to", "be", "or", "not"]),  # it has no others
        ("CRÈME Straße ΣΊΣΥΦΟΣ", ["creme", "strasse", "σισυφοσ"]),
        ("snake_case e-mail 3.14", ["snake", "case", "e", "mail", "3", "14"]),
        ("?!", []),
    ],
)
def test_the_words_of_a_query(query: str, words: list[str]) -> None:
    assert [word for (word,) in asked_words(query)] == words


def test_a_script_without_spaces_makes_phrases() -> None:
    assert asked_words("東京 is the capital") == [("東", "京"), ("capital",)]


def test_a_query_of_many_words_is_cut() -> None:
    assert len(asked_words(" ".join(f"w{number}" for number in range(1000)))) == 64
