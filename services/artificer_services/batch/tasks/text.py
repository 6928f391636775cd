"""text.normalize and text.template: text processing without a model.

Pure except for the two tasks at the end; imports nothing heavy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ...kit.parameters import one_of
from ...kit.settings import InvalidSetting
from ...kit.task_tables import table
from ...kit.task_types import faults_of
from ...kit.template import parsed, template_kind
from .api import Output, PhaseView, Rejected, Work

Form = Literal["NFC", "NFKC"]

_FORMS = ("NFC", "NFKC")
_HYPHENS = ("join", "keep")
_LINES = ("keep", "join")

# Line ends of the Unicode Standard, section 5.8; a form feed between pages counts as a blank line.
_ENDS = re.compile(r"\r\n|[\r\n\x0b\x85\u2028]")
_BREAKS = re.compile(
    r"[\f\u2029]"
)  # no pattern here may start with a repetition: a page of spaces would take quadratic time
_SPACES = re.compile(r"[^\S\n]+")
_BLANK = re.compile(r" ?\n ?")
_GAPS = re.compile(r"\n{3,}")
_LONE = re.compile(r"(?<!\n)\n(?!\n)")
# A word hyphenated at a line's end. A lower-case letter must follow: "Anglo-\nSaxon" keeps its hyphen.
_CUT = re.compile(r"(?<=[^\W\d_])(?:[-\u2010]|\u00ad)[^\S\n]*\n[^\S\n]*(?=([^\W\d_]))")
_MAX_MARKS = 1000  # on one letter
_KEPT_FORMAT = "\u200c\u200d"  # the zero-width joiners, which Persian and emoji need


def normalize(text: str, *, form: Form = "NFC", hyphens: str = "join", lines: str = "keep") -> str:
    """Returns text in a Unicode normal form, with plain white space and without control characters.

    Lines are trimmed, runs of spaces become one, and at most one blank line stays between paragraphs. `hyphens` "join"
    joins words hyphenated at the end of a line; `lines` "join" joins the lines of a paragraph. Raises ValueError for a
    letter with more than 1,000 combining marks.
    """
    _check_marks(text)
    text = unicodedata.normalize(form, text)
    text = _BREAKS.sub("\n\n", _ENDS.sub("\n", text))
    if hyphens == "join":
        text = _CUT.sub(lambda cut: "" if cut[1].islower() else cut[0], text)
    text = _strip_controls(text)
    text = _GAPS.sub("\n\n", _BLANK.sub("\n", _SPACES.sub(" ", text)))
    if lines == "join":
        text = _LONE.sub(" ", text)
    # Again: a removed character may have separated a letter and its accent.
    return unicodedata.normalize(form, text.strip())


def legibility(text: str) -> float:
    """Returns the share of legible characters, 0..1: letters with their marks, digits, and punctuation.

    White space does not count; a text without other characters has 0. Control, private and unassigned characters,
    U+FFFD, lone surrogates and symbols count as illegible, and so does punctuation beyond a third of the letters and
    digits: prose has less, the noise of a bad scan more.
    """
    counts = Counter(text)
    letters = marks = others = 0
    for char, count in counts.items():
        if char.isspace():
            continue
        group = unicodedata.category(char)[0]
        if group in "LMN":
            letters += count
        elif group == "P":
            marks += count
        else:
            others += count
    total = letters + marks + others
    return round((letters + min(marks, (letters + 2) // 3)) / total, 4) if total else 0.0


def _check_marks(text: str) -> None:
    # Canonical ordering of marks takes quadratic time and cannot be interrupted. Real text has at most 30 in a row
    # (UAX #15, section 13, "stream-safe").
    marks = "".join(re.escape(char) for char in set(text) if unicodedata.combining(char))
    if marks and re.search(f"[{marks}]{{{_MAX_MARKS + 1},}}", text):
        raise ValueError(f"a letter has more than {_MAX_MARKS} combining marks")


def _strip_controls(text: str) -> str:
    """Remove control and format characters, and lone surrogates, which neither databases nor JSON accept."""
    unwanted = {
        ord(char): None
        for char in set(text)
        if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t" and char not in _KEPT_FORMAT
    }
    return text.translate(unwanted) if unwanted else text


class Normalize:
    """The task type text.normalize."""

    name = "text.normalize"
    description = (
        "Normalizes text: a Unicode normal form (parameter form: NFC or NFKC), plain white space, no control"
        " characters, words hyphenated at line ends joined (hyphens: join or keep), paragraphs kept or joined to one"
        " line (lines: keep or join). The score is the share of legible characters in the input."
    )
    scored = True
    takes: Literal["text", "document"] = "text"
    timeout: float | None = None

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        return faults_of(
            self.name, phase, {"form": one_of(_FORMS), "hyphens": one_of(_HYPHENS), "lines": one_of(_LINES)}
        )

    def run(self, work: Work) -> Output:
        asked = work.phase.parameters
        try:
            text = normalize(
                work.input,
                form=cast(Form, asked.get("form", "NFC")),
                hyphens=asked.get("hyphens", "join"),
                lines=asked.get("lines", "keep"),
            )
        except ValueError as error:
            raise Rejected(f"cannot normalize the text: {error}") from None
        return Output(text=text, score=legibility(work.input))

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSettings:
    """The limits of text.template. Raises ValueError for invalid values."""

    max_chars: int = 16 * 1024 * 1024  # of a filled template

    def __post_init__(self) -> None:
        if self.max_chars <= 0:
            raise InvalidSetting("max_chars", "max_chars must be positive")


class Fill:
    """The task type text.template."""

    name = "text.template"
    description = (
        "Fills the template in the parameter template: {{input}}, {{item_input}}, {{metadata.KEY}} and"
        " {{outputs.PHASE}} are replaced by the item's values; other text stays as it is."
    )
    scored = False
    takes: Literal["text", "document"] = "text"
    timeout: float | None = None

    def __init__(self, settings: TemplateSettings) -> None:
        self._settings = settings

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        found = faults_of(self.name, phase, {"template": template_kind(phase)})
        if "template" not in phase.parameters:
            found.append(("parameters.template", "is required by text.template"))
        return found

    def run(self, work: Work) -> Output:
        template = parsed(work.phase.parameters.get("template", ""))
        return Output(text=template.fill(work, self._settings.max_chars))

    def close(self) -> None:
        pass


def create_normalize(_: Mapping[str, Any]) -> Normalize:
    """Make text.normalize."""
    return Normalize()


def create_template(tasks: Mapping[str, Any]) -> Fill:
    """Make text.template. Raises ValueError for invalid settings."""
    return Fill(table(tasks, "text.template", TemplateSettings))
