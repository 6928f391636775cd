"""Passages of the server's documents: found by their content, also after files change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer_services.batch.tasks.api import TaskError
from artificer_services.batch.tasks.rag import Library, Passage, RagSettings, cut


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "fees.md").write_text("# Fees\n\nA vessel pays five crowns.\n\nA boat pays one crown.")
    (tmp_path / "bell.txt").write_text("The bell is rung twice when fog covers the entrance.")
    (tmp_path / "cafe.txt").write_text("The Café serves Çay at noon.")
    (tmp_path / "picture.png").write_bytes(b"bell bell bell bell")
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe bell-wether \x00")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("bell bell bell")
    (tmp_path / "link.txt").symlink_to(outside)
    return tmp_path


MakeLibrary = Callable[..., Library]


@pytest.fixture
def library() -> Iterator[MakeLibrary]:
    """Creates libraries of a folder, and closes them after the test."""
    with ExitStack() as stack:

        def made(folder: Path, **settings: object) -> Library:
            return stack.enter_context(closing(Library(RagSettings(folder=str(folder), **settings))))  # type: ignore[arg-type]

        yield made


def test_the_best_passage_comes_first(folder: Path, library: MakeLibrary) -> None:
    found = library(folder).find("When is the BELL rung in fog?")
    assert found[0] == Passage("bell.txt", "The bell is rung twice when fog covers the entrance.")
    assert {passage.source for passage in found} <= {"bell.txt", "odd.txt", "cafe.txt"}  # no pictures, no links


def test_accents_and_case_do_not_matter(folder: Path, library: MakeLibrary) -> None:
    assert library(folder).find("cafe CAY")[0].source == "cafe.txt"
    assert library(folder).find("cafe\u0301")[0].source == "cafe.txt"


def test_a_passage_names_its_file_relative_to_the_folder(folder: Path, library: MakeLibrary) -> None:
    assert library(folder).find("five crowns")[0].source == "rules/fees.md"


@pytest.mark.parametrize(
    "text", ["", "?!", '" OR * NEAR(', "xyzzy", "AND", "source:bell.txt", "-- ; DROP TABLE passages"]
)
def test_any_text_can_be_searched_for(folder: Path, text: str, library: MakeLibrary) -> None:
    assert isinstance(library(folder).find(text), list)


def test_a_whole_document_can_be_the_query(folder: Path, library: MakeLibrary) -> None:
    text = "fog " + " ".join(f"word{number}" for number in range(20_000))
    assert library(folder).find(text)[0].source == "bell.txt"


def test_files_that_change_are_read_again(folder: Path, library: MakeLibrary) -> None:
    shelf = library(folder, refresh_seconds=1e-9)
    assert shelf.find("lamps") == []
    (folder / "lamps.txt").write_text("Lamps are lit at four.")
    assert shelf.find("lamps")[0].source == "lamps.txt"
    (folder / "lamps.txt").unlink()
    assert shelf.find("lamps") == []
    shelf.close()
    shelf.close()
    assert shelf.find("fog")


def test_a_missing_or_too_large_folder_is_reported(folder: Path, library: MakeLibrary) -> None:
    with pytest.raises(TaskError, match=r"cannot read the server.s folder of passages: No such file"):
        library(folder / "gone").find("fog")
    with pytest.raises(TaskError, match="larger than 10 bytes"):
        library(folder, max_bytes=10).find("fog")


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("", []),
        ("one\n\ntwo", ["one\n\ntwo"]),
        ("a paragraph of its own\n\n \nand another one", ["a paragraph of its own", "and another one"]),
        ("First one here. Second one there. Third.", ["First one here.", "Second one there. Third."]),
        ("x" * 60, ["x" * 25, "x" * 25, "x" * 10]),
    ],
)
def test_texts_are_split_at_separators(text: str, passages: list[str]) -> None:
    assert cut(text, 25) == passages


@given(st.text(alphabet="ab .\n", max_size=200), st.integers(1, 40))
def test_passages_are_bounded_and_lose_no_letter(text: str, size: int) -> None:
    passages = cut(text, size)
    assert all(0 < len(passage) <= size for passage in passages)
    assert "".join("".join(passages).split()) == "".join(text.split())
