"""What a command understands of its arguments, and what it lets onto a terminal."""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path

import pytest

from artificer.cli.errors import Usage
from artificer.cli.inputs import LineSource, ListSource, files_in
from artificer.cli.phases import DEFAULT, phases_of
from artificer.cli.results import as_csv
from artificer.cli.text import one_line, plain, short
from artificer.types.batch import Item, Result, Validation


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße 🚢\tvom Kai", "Grüße 🚢\tvom Kai"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),  # clears the screen, names the window
        ("safe\rforged", r"safe\rforged"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),  # turns the direction of what follows
        ("half \udce4", r"half \udce4"),  # a file's name that is no UTF-8
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_texts_fit_a_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert short("abc", 3) == "abc"
    assert short("abcd", 3) == "ab…"
    assert short("a" * 1_000_000, 5) == "aaaa…"


def test_phases_are_named_by_their_type_by_default() -> None:
    phases = phases_of([*DEFAULT, "tidy=text.normalize", "text.normalize"])
    assert [(one.name, one.task_type) for one in phases] == [
        ("extract", "ocr.extract"),
        ("normalize", "text.normalize"),
        ("tidy", "text.normalize"),
        ("normalize-2", "text.normalize"),
    ]


def test_options_refer_to_phases_by_name_or_type() -> None:
    first, second = phases_of(
        ["ocr.extract", "write=llm.generate"],
        parameters=["ocr.extract.languages=eng+deu", "write.system=a=b"],
        models=["write=small"],
        scores=["extract=0.8"],
        rag=["llm.generate"],
    )
    assert dict(first.parameters) == {"languages": "eng+deu"}
    assert dict(second.parameters) == {"system": "a=b"}
    assert (second.model, second.use_rag) == ("small", True)
    assert first.validation == Validation(enabled=True, min_score=0.8)
    assert second.validation is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"types": ["name="]}, "TYPE or NAME=TYPE"),
        ({"types": ["=ocr.extract"]}, "TYPE or NAME=TYPE"),
        ({"types": DEFAULT, "parameters": ["languages=eng"]}, "one of extract, normalize"),
        ({"types": DEFAULT, "parameters": ["extract.languages"]}, "PHASE.KEY=VALUE"),
        ({"types": DEFAULT, "models": ["write=small"]}, "unknown phase 'write'; expected one of extract, normalize"),
        ({"types": DEFAULT, "scores": ["extract=good"]}, "a number from 0 to 1"),
        ({"types": DEFAULT, "rag": ["x"]}, "unknown phase 'x'"),
    ],
)
def test_invalid_phase_options_are_refused(arguments: dict[str, list[str]], told: str) -> None:
    with pytest.raises(Usage, match=told):
        phases_of(**arguments)


def test_files_are_found_in_folders_in_one_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.pdf", "a.pdf", "deep/c.pdf", ".git/config", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    skipped: list[object] = []
    named = [str(tmp_path), str(tmp_path / ".hidden")]  # a named file is included
    found = files_in(named, lambda *one: skipped.append(one))
    assert not skipped
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a.pdf", "b.pdf", "deep/c.pdf", ".hidden"]
    with pytest.raises(Usage, match="neither a file nor a folder"):
        files_in([str(tmp_path / "missing")], lambda *_: None)


def test_what_is_no_file_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"")
    (tmp_path / "deep").mkdir()
    (tmp_path / "linked.pdf").symlink_to("a.pdf")
    (tmp_path / "lost.pdf").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe")
    skipped: dict[str, str] = {}
    found = files_in([str(tmp_path)], lambda path, what: skipped.update({path.name: what}))
    assert [path.name for path in found] == ["a.pdf", "linked.pdf"]
    nothing = "a link to nothing"
    assert skipped == {"lost.pdf": nothing, "loop": nothing, "up": "a link to a folder", "pipe": "a FIFO"}


def test_a_file_name_that_is_not_utf8_can_be_sent() -> None:
    (item,) = ListSource([("blob:1", "caf\udce9.pdf")]).items()
    assert item.metadata["name"] == "caf\ufffd.pdf"
    item.input.encode()


def test_lines_are_items(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_bytes("one \r\n\nzwei ü\nlast".encode())
    lines = LineSource(str(listed), as_json=False)
    for _ in range(2):  # it can be iterated again
        assert [item.input for item in lines.items()] == ["one ", "zwei ü", "last"]


def test_lines_of_json_have_metadata(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text('{"input": "a\\nb", "metadata": {"k": "v"}}\n{"input": "c"}\n')
    items = list(LineSource(str(listed), as_json=True).items())
    assert items == [Item(input="a\nb", metadata={"k": "v"}), Item(input="c")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "line 2 of"),
        (b"[]", 'expected an object with a string "input"'),
        (b'{"input": 1}', 'expected an object with a string "input"'),
        (b'{"input": "a", "meta": {}}', "unknown field meta"),
        (b'{"input": "a", "metadata": {"k": 1}}', "line 2 of"),
        (b"\xff", "line 2 of"),
    ],
)
def test_an_invalid_line_is_reported_with_its_number(line: bytes, told: str, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_bytes(b'{"input": "good"}\n' + line)
    with pytest.raises(Usage, match=told):
        list(LineSource(str(listed), as_json=True).items())


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"a\nb\n")
    with open(tmp_path / "input") as given:
        monkeypatch.setattr(sys, "stdin", given)
        lines = LineSource("-", as_json=False)
        assert not lines.repeatable
        assert [item.input for item in lines.items()] == ["a", "b"]


def test_a_spreadsheet_does_not_compute_what_an_item_says() -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "plain", "a=1", ""]
    out = io.StringIO()
    as_csv(out, [Result(input=text, output=text, error=text, metadata={"name": text}) for text in texts])
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    expected = [f"'{text}" for text in texts[:7]] + texts[7:]
    for column in ("input", "output", "error", "name"):
        assert [row[column] for row in rows] == expected
