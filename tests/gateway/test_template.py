"""The path grammar of google/api/http.proto, in full: what it accepts, what it refuses, and at which column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.template import TemplateError, parse

READ = [
    # (template, segments, variables as (path, start, end, multi), verb, why)
    ("/v1", ["v1"], [], None, "a literal"),
    ("/v1/a-._~!$&'()+,;@b", ["v1", "a-._~!$&'()+,;@b"], [], None, "every character of a path segment but : * ="),
    ("/a%20b", ["a%20b"], [], None, "an escape that is needed"),
    ("/%61", ["a"], [], None, "an escape that is not (RFC 3986 section 6.2.2.2)"),
    ("/a%2Fb", ["a%2Fb"], [], None, "an escaped slash is no separator"),
    ("/%2A", ["%2A"], [], None, "an escaped star is no wildcard"),
    ("/%C3%A9", ["%C3%A9"], [], None, "UTF-8"),
    ("/*", ["*"], [], None, "a wildcard without a variable"),
    ("/**", ["**"], [], None, "and of any length"),
    ("/v1/*/b", ["v1", "*", "b"], [], None, "in the middle"),
    ("/v1/{id}", ["v1", "*"], [("id", 1, 2, False)], None, "a variable is one segment"),
    ("/v1/{id=*}", ["v1", "*"], [("id", 1, 2, False)], None, "written out"),
    ("/v1/{id=lit}", ["v1", "lit"], [("id", 1, 2, False)], None, "a literal as a variable"),
    ("/v1/{path=**}", ["v1", "**"], [("path", 1, 2, True)], None, "many segments"),
    ("/v1/{n=a/*}", ["v1", "a", "*"], [("n", 1, 3, True)], None, "two segments are many"),
    ("/{a.b=x/*/y/**}:go", ["x", "*", "y", "**"], [("a.b", 0, 4, True)], "go", "all at once"),
    ("/{a}/{b.c}/{_d9}", ["*", "*", "*"], [("a", 0, 1, False), ("b.c", 1, 2, False), ("_d9", 2, 3, False)], None, "3"),
    ("/v1/**/tail", ["v1", "**", "tail"], [], None, "literals may follow **"),
    ("/v1/{p=**}/x/y:z", ["v1", "**", "x", "y"], [("p", 1, 2, True)], "z", "and the verb"),
    ("/{p=**/x}", ["**", "x"], [("p", 0, 2, True)], None, "inside the variable too"),
    ("/", [], [], None, "the root, which the grammar does not have"),
    ("/**/*", ["**", "*"], [], None, "a wildcard may follow ** too, beyond the grammar"),
    ("/{a=**/*}", ["**", "*"], [("a", 0, 2, True)], None, "and in its variable"),
    ("/{a=x/**}/{b}", ["x", "**", "*"], [("a", 0, 2, True), ("b", 2, 3, False)], None, "a variable, as in Firestore"),
    ("/**/{a=x/*}:go", ["**", "x", "*"], [("a", 1, 3, True)], "go", "one of several segments"),
    ("/v1:batchGet", ["v1"], [], "batchGet", "a verb"),
    ("/v1/*:a%20b", ["v1", "*"], [], "a b", "an escaped verb"),
]


@pytest.mark.parametrize(("text", "segments", "variables", "verb", "_why"), READ, ids=[row[0] for row in READ])
def test_reads(
    text: str, segments: list[str], variables: list[tuple[str, int, int, bool]], verb: str | None, _why: str
) -> None:
    template = parse(text)
    assert [str(segment) for segment in template.segments] == segments
    assert [(one.path, one.start, one.end, one.multi) for one in template.variables] == variables
    assert template.verb == verb
    assert str(template) == text


REFUSED = [
    # (template, column, a part of the reason)
    ("", 1, 'expected "/"'),
    ("v1", 1, 'expected "/"'),
    ("//a", 2, "expected a segment"),
    ("/a/", 4, "expected a segment"),
    ("/a//b", 4, "expected a segment"),
    ("/a:", 4, "expected a verb"),
    ("/:a", 2, "expected a segment"),
    ("/a:b:c", 5, "unexpected ':'"),
    ("/a:b/c", 5, "unexpected '/'"),
    ("/a:*", 4, "expected a verb"),
    ("/a b", 3, "unexpected ' '"),
    ("/a?b", 3, "unexpected '?'"),
    ("/a#b", 3, "unexpected '#'"),
    ("/é", 2, "expected a segment"),
    ("/a*", 3, "unexpected '*'"),
    ("/*a", 3, "unexpected 'a'"),
    ("/***", 4, "unexpected '*'"),
    ("/%2", 2, "expected a segment"),
    ("/a%zz", 3, "unexpected '%'"),
    ("/a%FF", 2, "not valid UTF-8"),
    ("/{}", 3, "expected a field name"),
    ("/{9a}", 3, "expected a field name"),
    ("/{a.}", 5, "expected a field name"),
    ("/{.a}", 3, "expected a field name"),
    ("/{a-b}", 4, "found '-'"),
    ("/{a b}", 4, "found ' '"),
    ("/{a", 4, "found the end of the template"),
    ("/{a=b", 6, "found the end of the template"),
    ("/{a=}", 5, "expected a segment"),
    ("/{a=/b}", 5, "expected a segment"),
    ("/{a=b/}", 7, "expected a segment"),
    ("/{a=b:c}", 6, "found ':'"),
    ("/{a=b=c}", 6, "found '='"),
    ("/{a={b}}", 5, "variables cannot be nested"),
    ("/{a=x/{b}}", 7, "variables cannot be nested"),
    ("/{a}}", 5, "unexpected '}'"),
    ("/{a}b", 5, "unexpected 'b'"),
    ("/a{b}", 3, "unexpected '{'"),
    ("/{a}/{a}", 7, "bound twice"),
    ("/**/**", 5, "only once"),
    ("/{a=**}/b/**", 11, "only once"),
    ("/{a=**}/{b=**}", 12, "only once"),
]


@pytest.mark.parametrize(("text", "column", "reason"), REFUSED, ids=[row[0] or "empty" for row in REFUSED])
def test_refuses_at_the_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.template) == (column, text)
    assert reason in caught.value.reason
    assert f"column {column} of" in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/a/{b}", "/a/{c}", True),
        ("/a/{b}", "/a/*", True),
        ("/{a=x/*}/b", "/x/{c}/b", True),
        ("/a/{b=**}", "/a/**", True),
        ("/a/%62", "/a/b", True),
        ("/a/{b}", "/a/{b=**}", False),
        ("/a/{b}", "/a/{b}:c", False),
        ("/a%2Fb", "/a/b", False),
        ("/a/%2A", "/a/*", False),
        ("/a:b", "/a%3Ab", False),
    ],
)
def test_templates_of_one_shape_match_the_same_paths(one: str, other: str, same: bool) -> None:
    assert (parse(one).shape == parse(other).shape) is same


LITERALS = st.from_regex(r"\A(?:[A-Za-z0-9._~!$&'()+,;@-]|%2F|%C3%A9){1,6}\Z")
NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,4}(\.[A-Za-z_][A-Za-z0-9_]{0,4})?\Z")


@st.composite
def templates(draw: st.DrawFn) -> tuple[str, int, list[str]]:
    """A template by the grammar, how many segments it has, and its variables."""
    rest_at = draw(st.none() | st.integers(0, 5))
    segments: list[str] = []
    for index in range(draw(st.integers(1, 6))):
        segments.append("**" if index == rest_at else draw(st.just("*") | LITERALS))
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    parts: list[str] = []
    used: list[str] = []
    at = 0
    while at < len(segments):
        end = at + draw(st.integers(1, 3))
        chunk = segments[at:end]
        if len(names) > 0 and draw(st.booleans()):
            name = names.pop()
            used.append(name)
            short = chunk == ["*"] and draw(st.booleans())
            parts.append("{" + name + ("" if short else "=" + "/".join(chunk)) + "}")
        else:
            parts.extend(chunk)
        at = end
    verb = draw(st.none() | LITERALS)
    return "/" + "/".join(parts) + (f":{verb}" if verb else ""), len(segments), used


@given(templates())
def test_parses_everything_that_the_grammar_generates(made: tuple[str, int, list[str]]) -> None:
    text, segments, names = made
    template = parse(text)
    assert len(template.segments) == segments
    assert [variable.path for variable in template.variables] == names
    assert parse(template.shape).shape == template.shape
    for variable in template.variables:
        assert text[variable.column - 1 :].startswith(variable.path)


@given(st.text("/{}=*:.%2Fab", max_size=12) | st.text(max_size=8))
def test_refuses_anything_else_with_a_column_in_it(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError as error:
        column = error.column
    else:
        assert template.text == text
        column = len(template.text)
    assert 1 <= column <= len(text) + 1
