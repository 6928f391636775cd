"""text.normalize and text.template, as jobs use them."""

from __future__ import annotations

import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer_services.batch.tasks.api import PhaseView, Rejected
from artificer_services.batch.tasks.text import Form, create_normalize, create_template, legibility, normalize
from artificer_services.kit.task_types import NotDone
from artificer_services.kit.template import Template

from .works import ItemWork, phase

CASES = [
    ("Cafe\u0301", {}, "Café", "an accent of its own joins its letter"),
    ("ﬁne ２", {}, "ﬁne ２", "NFC keeps what only looks alike"),
    ("ﬁne ２", {"form": "NFKC"}, "fine 2", "NFKC does not"),
    ("a\r\nb\rc\x85d\u2028e", {}, "a\nb\nc\nd\ne", "one kind of line end"),
    ("a \t \u00a0\u3000b", {}, "a b", "one space for a run"),
    ("  a  \n   b  ", {}, "a\nb", "lines are trimmed"),
    ("a\n\n \n\n\nb", {}, "a\n\nb", "at most one blank line"),
    ("page one\fpage two", {}, "page one\n\npage two", "a page's end is a paragraph's"),
    ("Har-\nbour", {}, "Harbour", "a word that was cut"),
    ("Har\u2010  \r\n  bour", {}, "Harbour", "with Unicode's hyphen, and white space about"),
    ("Har\u00ad\nbour", {}, "Harbour", "with a soft hyphen"),
    ("Har\u00adbour", {}, "Harbour", "a soft hyphen within a line is not seen"),
    ("Anglo-\nSaxon", {}, "Anglo-\nSaxon", "a capital keeps the hyphen"),
    ("1990-\n2000", {}, "1990-\n2000", "and so do numbers"),
    ("- one\n- two", {}, "- one\n- two", "a list is no cut word"),
    ("Har-\nbour", {"hyphens": "keep"}, "Har-\nbour", "as it is"),
    ("Straßen-\nname", {}, "Straßenname", "letters of any language"),
    ("a\nb\n\nc\nd", {"lines": "join"}, "a b\n\nc d", "one line for a paragraph"),
    ("a\x00b\x07\x1b[0m\x7f", {}, "ab[0m", "control characters"),
    ("\ufeffa\u200bb\u202ec\ud800", {}, "abc", "marks that are not seen, and half a surrogate pair"),
    ("می\u200cخواهم", {}, "می\u200cخواهم", "Persian is spelled with a joiner"),
    ("e\u200b\u0301", {}, "é", "what stood between a letter and its accent is gone"),
    ("", {}, "", "nothing"),
]


@pytest.mark.parametrize(("before", "options", "after", "_why"), CASES, ids=[case[3] for case in CASES])
def test_text_is_normalized(before: str, options: dict[str, str], after: str, _why: str) -> None:
    output = create_normalize({}).run(ItemWork(input=before, phase=phase("text.normalize", **options)))
    assert output.text == after


FORMS: list[Form] = ["NFC", "NFKC"]


@given(st.text(alphabet=st.characters(), max_size=80), st.sampled_from(FORMS), st.sampled_from(["keep", "join"]))
def test_normalized_text_stays_unchanged(text: str, form: Form, lines: str) -> None:
    once = normalize(text, form=form, lines=lines, hyphens="keep")
    assert normalize(once, form=form, lines=lines, hyphens="keep") == once
    assert unicodedata.is_normalized(form, once)
    assert "\0" not in once
    once.encode()


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The harbour master kept a careful record of every vessel.", 1, 1),
        ('"Well," she said, "that\'s it, isn\'t it?" – (p. 12)', 0.85, 1),
        ("Die Straße, größer. Das übliche; 12,50 Euro!", 1, 1),
        ("水は方円の器に随う。", 1, 1),
        ("~|}{ _;: ,. '' `^ |l| ..- --= ;;", 0, 0.2),
        ("\ufffd\ufffd\ufffd\ufffdabc", 0.4, 0.5),
        ("\x01\x02\x03\ue000", 0, 0),
        ("", 0, 0),
        (" \n\t", 0, 0),
    ],
)
def test_the_score_tells_text_from_noise(text: str, low: float, high: float) -> None:
    assert low <= legibility(text) <= high
    output = create_normalize({}).run(ItemWork(input=text, phase=phase("text.normalize")))
    assert output.score == legibility(text)


@pytest.mark.parametrize(
    "piece", [" ", "\t", "\n", " \n", "\f", "\u2029 ", "a-", "a-\n", "- ", "\ufb01", "e\u0301", "{{", "\\{{", "{{ "]
)
def test_time_is_linear_in_the_length_of_the_text(piece: str) -> None:
    """Regular expressions that begin with a repetition take quadratic time: hours, for these."""
    text = "a" + piece * 300_000 + "z"
    assert normalize(text, lines="join").startswith("a")
    with suppress(ValueError):
        Template(text)


def test_a_letter_with_too_many_marks_fails_alone() -> None:
    work = ItemWork(input="a" + "\u0301\u0323" * 1_000_000, phase=phase("text.normalize"))
    with pytest.raises(Rejected, match="more than 1000 combining marks"):
        create_normalize({}).run(work)


@given(st.text(alphabet=st.characters(), max_size=80))
def test_a_score_is_a_fraction(text: str) -> None:
    assert 0 <= legibility(text) <= 1


@pytest.mark.parametrize(
    ("view", "field", "reason"),
    [
        (phase("text.normalize", form="NFD"), "parameters.form", "must be one of NFC, NFKC"),
        (phase("text.normalize", lines=""), "parameters.lines", "must be one of keep, join"),
        (phase("text.normalize", langages="eng"), "parameters.langages", "has no such parameter"),
        (phase("text.normalize", use_rag=True), "use_rag", "does not retrieve passages"),
    ],
)
def test_a_phase_that_asks_for_what_is_not_there_is_refused(view: PhaseView, field: str, reason: str) -> None:
    [(found, text)] = create_normalize({}).check(view)
    assert found == field
    assert reason in text


def fill(template: str, work: ItemWork | None = None) -> str:
    work = work or ItemWork(
        input="IN",
        item_input="ITEM",
        metadata={"name": "Ada", "a key. of any kind": "odd", "tag": "{{input}}"},
        outputs={"read": "READ", "phase two": "TWO"},
        phase=phase("text.template", template=template),
    )
    task = create_template({})
    assert task.check(work.phase) == []
    return task.run(work).text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("plain { } }} text", "plain { } }} text"),
        ("<{{input}}|{{ item_input }}>", "<IN|ITEM>"),
        ("{{metadata.name}}, {{metadata.a key. of any kind}}", "Ada, odd"),
        ("{{outputs.read}}{{outputs.phase two}}", "READTWO"),
        ("{{metadata.tag}}", "{{input}}"),  # inserted values are text
        (r"\{{input}}", "{{input}}"),
        ('{"a": {"b": {{input}}}}', '{"a": {"b": IN}}'),
        ("{{\n input \n}}", "IN"),
    ],
)
def test_a_template_is_rendered(template: str, text: str) -> None:
    assert fill(template) == text


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{inputs}}", "unknown name"),
        ("{{metadata}}", "unknown name"),
        ("{{metadata.}}", "unknown name"),
        ("{{config.secret}}", "unknown name"),
        ("{{input.__class__}}", "unknown name"),
        ("{{}}", "unknown name"),
        ("{{input", "invalid braces at character 1"),
        ("{{ {{input}} }}", "invalid braces at character 1"),
        ("{{outputs.later}}", "names no earlier phase"),
    ],
)
def test_a_template_with_an_unknown_name_is_refused_at_creation(template: str, reason: str) -> None:
    view = PhaseView(name="p", task_type="text.template", parameters={"template": template}, before=("read",))
    [(field, text)] = create_template({}).check(view)
    assert field == "parameters.template"
    assert reason in text


def test_a_phase_without_a_template_is_refused() -> None:
    assert create_template({}).check(phase("text.template")) == [
        ("parameters.template", "is required by text.template")
    ]


def test_an_item_without_a_value_of_the_template_fails_alone() -> None:
    work = ItemWork(input="", phase=phase("text.template", template="{{metadata.name}}"))
    with pytest.raises(NotDone, match=r"the template needs the metadata .name."):
        create_template({}).run(work)
    work = ItemWork(input="", phase=phase("text.template", template="{{outputs.read}}"))
    with pytest.raises(NotDone, match="the template needs the output of a phase 'read'"):
        create_template({}).run(work)


def test_the_size_of_a_rendered_template_is_bounded() -> None:
    view = phase("text.template", template="{{input}}" * 20_000)  # of 160 gigabytes
    with pytest.raises(NotDone, match="more than 16,777,216 characters"):
        create_template({}).run(ItemWork(input="x" * 8_000_000, phase=view))
    with pytest.raises(NotDone, match="more than 3 characters"):
        create_template({"text_template": {"max_chars": "3"}}).run(
            ItemWork(input="xxxx", phase=phase("text.template", template="{{input}}"))
        )


@given(st.text(max_size=40))
def test_text_without_braces_renders_unchanged(text: str) -> None:
    if "{{" not in text:
        assert Template(text).fill(ItemWork(phase=phase("text.template")), 1000) == text


@given(st.text(alphabet="{}\\a. ", max_size=40))
def test_any_text_can_be_escaped(text: str) -> None:
    assert fill(text.replace("{{", r"\{{")) == text
