"""Parses path templates of google.api.http into segments and variables.

It knows no message and no request; `rules` checks which fields the variables name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

# google/api/http.proto, "Path template syntax":
#
#   Template  = "/" Segments [ Verb ] ;
#   Segments  = Segment { "/" Segment } ;
#   Segment   = "*" | "**" | LITERAL | Variable ;
#   Variable  = "{" FieldPath [ "=" Segments ] "}" ;
#   FieldPath = IDENT { "." IDENT } ;
#   Verb      = ":" LITERAL ;
#
# Variables do not nest. Beyond http.proto, by whose text "**" must be the last part of a path except for the verb, a
# fixed number of segments may follow it, as in Firestore's
# "/v1/{parent=projects/*/databases/*/documents/**}/{collection_id}", and "/" alone is a template.

ANY, REST = "*", "**"

_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,;@]|%[0-9A-Fa-f]{2})+")
_UNESCAPED = "-._~!$&'()+,;@"
_IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TemplateError(ValueError):
    """An invalid template; `column` counts from 1."""

    def __init__(self, template: str, column: int, reason: str) -> None:
        super().__init__(f"column {column} of {template!r}: {reason}")
        self.template, self.column, self.reason = template, column, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment: `*`, `**`, or a literal (decoded)."""

    kind: str
    literal: str = ""

    def __str__(self) -> str:
        return quote(self.literal, safe=_UNESCAPED) if self.kind == "literal" else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A field path bound to the segments `start` up to `end`, which is exclusive.

    `multi` means several segments, `rest` that `**` is one of them, and `after` that `**` stands before them.
    """

    path: str
    start: int
    end: int
    column: int
    multi: bool
    rest: bool
    after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed template; `str()` returns its source text."""

    text: str
    segments: tuple[Segment, ...]
    variables: tuple[Variable, ...]
    verb: str | None

    def __str__(self) -> str:
        return self.text

    @property
    def shape(self) -> str:
        """Returns the template without its variables' names; templates with equal shapes match the same paths."""
        return "/" + "/".join(map(str, self.segments)) + (f":{quote(self.verb, safe=_UNESCAPED)}" if self.verb else "")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.segments: list[Segment] = []
        self.variables: list[Variable] = []
        self.rest_at: int | None = None

    def fail(self, reason: str, at: int | None = None) -> TemplateError:
        return TemplateError(self.text, (self.at if at is None else at) + 1, reason)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def template(self) -> Template:
        if not self.take("/"):
            raise self.fail('expected "/" at the start of a template')
        if self.at == len(self.text):
            return Template(text=self.text, segments=(), variables=(), verb=None)
        self.run(inside=False)
        verb = None
        if self.take(":"):
            verb = self.literal("a verb")
        if self.at < len(self.text):
            raise self.fail(f"unexpected {self.peek()!r}")
        return Template(text=self.text, segments=tuple(self.segments), variables=tuple(self.variables), verb=verb)

    def run(self, *, inside: bool) -> None:
        self.segment(inside=inside)
        while self.take("/"):
            self.segment(inside=inside)

    def segment(self, *, inside: bool) -> None:
        start = self.at
        if self.take(REST):
            if self.rest_at is not None:
                raise self.fail('"**" may appear only once', start)
            self.rest_at = len(self.segments)
            self.segments.append(Segment(kind=REST))
        elif self.take(ANY):
            self.segments.append(Segment(kind=ANY))
        elif self.peek() == "{":
            if inside:
                raise self.fail("variables cannot be nested")
            self.variable()
        else:
            self.segments.append(Segment(kind="literal", literal=self.literal("a segment")))

    def variable(self) -> None:
        after = self.rest_at is not None
        self.take("{")
        column = self.at
        names = [self.ident()]
        while self.take("."):
            names.append(self.ident())
        path = ".".join(names)
        if any(path == other.path for other in self.variables):
            raise self.fail(f"{path!r} is bound twice", column)
        start = len(self.segments)
        if self.take("="):
            self.run(inside=True)
        else:
            self.segments.append(Segment(kind=ANY))
        if not self.take("}"):
            found = repr(self.peek()) if self.peek() else "the end of the template"
            raise self.fail(f'expected "}}", found {found}')
        own = self.segments[start:]
        rest = any(segment.kind == REST for segment in own)
        self.variables.append(
            Variable(
                path=path,
                start=start,
                end=len(self.segments),
                column=column + 1,
                multi=rest or len(own) > 1,
                rest=rest,
                after=after,
            )
        )

    def ident(self) -> str:
        found = _IDENT.match(self.text, self.at)
        if not found:
            raise self.fail("expected a field name")
        self.at = found.end()
        return found.group()

    def literal(self, what: str) -> str:
        found = _LITERAL.match(self.text, self.at)
        if not found:
            raise self.fail(f"expected {what}")
        self.at = found.end()
        try:
            return unquote(found.group(), errors="strict")
        except UnicodeDecodeError:
            raise self.fail("percent escapes are not valid UTF-8", found.start()) from None


def parse(text: str) -> Template:
    """Parses a template. Raises `TemplateError` with the column of the error."""
    return _Parser(text).template()
