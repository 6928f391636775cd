"""How texts are divided: exact spans, sizes that hold, nothing left out, the headings above."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from artificer_services.ai.library.borders import headings
from artificer_services.ai.library.chunking import Manuscript, divide, manuscript
from artificer_services.ai.library.values import Chunk
from artificer_services.ai.models.tokens import estimate
from artificer_services.ai.reading.values import Page

WORDS = ["word", "a", "Straße", "x" * 40, "東京は日本の首都です。", "e.g.", "end."]
LINES = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(["word", "a", "Straße", "x" * 40, "東京は日本の首都です。", "e.g.", "end."]), max_size=40
    ).map(" ".join),
    st.builds(lambda level, title: "#" * level + " " + title, st.integers(1, 7), st.text("ab #`", max_size=9)),
    st.sampled_from(["", "```", "~~~", "   ", "# "]),
)
TEXTS = st.lists(LINES, max_size=30).map("\n".join)


def chunks_of(text: str, tokens: int = 32, overlap: int = 0) -> list[Chunk]:
    return list(divide(Manuscript(text), tokens, overlap))


@settings(deadline=None)  # other programs share the processor
@given(TEXTS, st.integers(32, 64), st.integers(0, 32))
def test_chunks_are_exact_whole_and_small_enough(text: str, tokens: int, overlap: int) -> None:
    chunks = chunks_of(text, tokens, min(overlap, tokens // 2))
    covered: set[int] = set()
    end = 0
    for index, chunk in enumerate(chunks):
        assert chunk.index == index
        assert text[chunk.span.start : chunk.span.end] == chunk.text == chunk.text.strip()
        assert chunk.token_count == estimate(chunk.text) <= tokens
        assert chunk.span.end > end  # each brings something new
        end = chunk.span.end
        covered.update(range(chunk.span.start, chunk.span.end))
    assert all(place in covered or sign.isspace() for place, sign in enumerate(text))


@settings(deadline=None)  # other programs share the processor
@given(TEXTS)
@example("###### 00\n###### 00000000\n\n##### 0000\n00")
def test_headings_are_those_above_the_first_text_of_a_chunk(text: str) -> None:
    known = list(headings(text))
    for chunk in chunks_of(text):
        place = chunk.span.start
        for heading in known:
            within = chunk.span.start <= heading.start < chunk.span.end  # a chunk may have headings alone
            if within and not text[place : heading.start].strip():
                place = max(place, heading.end)
        above = [one for one in known if one.start < place or one.start == chunk.span.start]
        assert chunk.headings == (above[-1].titles if above else ())


@settings(deadline=None)  # other programs share the processor
@given(st.lists(st.text(max_size=60), max_size=12))
def test_pages_are_those_of_the_first_and_the_last_character(texts: list[str]) -> None:
    source = manuscript([Page(number, text) for number, text in enumerate(texts, 1)])
    for chunk in divide(source, 32, 8):
        starts = dict(source.pages)
        first, last = starts[chunk.span.page], starts[chunk.span.last_page]
        assert first <= chunk.span.start
        assert last < chunk.span.end
        following = starts.get(chunk.span.last_page + 1)
        assert following is None or chunk.span.end <= following


def test_a_text_without_pages_has_page_0() -> None:
    (chunk,) = divide(manuscript([Page(0, "Some text.")]), 32, 0)
    assert (chunk.span.page, chunk.span.last_page) == (0, 0)


def test_a_section_is_not_joined_to_the_one_before_and_nothing_of_that_is_repeated() -> None:
    first = "# One\n\n" + "First words here. " * 8
    text = first + "\n\n# Two\n\n## Inner\n\n" + "Second words there. " * 8
    chunks = chunks_of(text, 40, 20)
    assert [chunk.headings for chunk in chunks] == [("One",), ("Two", "Inner")]
    assert chunks[1].text.startswith("# Two")


def test_a_chunk_repeats_whole_sentences_of_the_one_before() -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(20))
    one, two, *_ = chunks_of(text, 40, 16)
    repeated = text[two.span.start : one.span.end]
    assert repeated.startswith("This is sentence")
    assert 0 < estimate(repeated) <= 16


@pytest.mark.parametrize(
    ("line", "titles"),
    [
        ("# Title", ("Title",)),
        ("## Title ##", ("Title",)),
        ("   # Title", ("Title",)),
        ("# C#", ("C#",)),
        ("    # code", ()),
        ("#tag", ()),
        ("####### seven", ()),
        ("#", ()),
        ("```\n# comment\n```", ()),
    ],
)
def test_a_heading_is_what_commonmark_says(line: str, titles: tuple[str, ...]) -> None:
    assert chunks_of(f"text\n\n{line}\n\nmore " + "words " * 40)[-1].headings == titles


def test_hostile_texts_take_no_longer_than_others() -> None:
    """Every pattern is linear: these have 100,000 characters each, and would take minutes otherwise."""
    for piece in ("# " + " " * 1000, "\n \n", "." * 100 + '"' * 100, "```\n", "#" * 50 + " x #", "a" * 1000, "。"):
        assert chunks_of(piece * (100_000 // len(piece))) is not None
