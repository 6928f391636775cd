"""text.normalize and text.template: what is done to text without a model.

Pure but for the two tasks at the end; nothing here is heavy to import.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from .api import Output, PhaseView, Rejected, Work
from .parameters import Fault, faults_of, one_of
from .tables import table
from .template import parsed, template_kind

Form = Literal["NFC", "NFKC"]

_FORMS = ("NFC", "NFKC")
_HYPHENS = ("join", "keep")
_LINES = ("keep", "join")

# Line ends of the Unicode Standard, 5.8; a form feed stands between pages, and parts them as a blank line does.
_ENDS = re.compile(r"\r\n|[\r\n\x0b\x85\u2028]")
_BREAKS = re.compile(r"[\f\u2029]")  # none of these patterns may begin with a run: a page of spaces would take hours
_SPACES = re.compile(r"[^\S\n]+")
_BLANK = re.compile(r" ?\n ?")
_GAPS = re.compile(r"\n{3,}")
_LONE = re.compile(r"(?<!\n)\n(?!\n)")
# A word that a line's end cuts in two. What follows must be a small letter: "Anglo-\nSaxon" keeps its hyphen.
_CUT = re.compile(r"(?<=[^\W\d_])(?:[-\u2010]|\u00ad)[^\S\n]*\n[^\S\n]*(?=([^\W\d_]))")
_MOST_MARKS = 1000  # on one letter
_KEPT_FORMAT = "\u200c\u200d"  # the joiners, which Persian and emoji are spelled with


def normalize(text: str, *, form: Form = "NFC", hyphens: str = "join", lines: str = "keep") -> str:
    """Text in a normal form of Unicode, with plain white space, and without control characters.

    Lines are trimmed, runs of spaces become one, and at most one blank line stays between paragraphs. `hyphens` "join"
    puts words together that the end of a line cuts in two; `lines` "join" makes one line of a paragraph. Raises
    ValueError for a letter that is buried in marks.
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
    # What was taken out may have stood between a letter and its accent.
    return unicodedata.normalize(form, text.strip())


def legibility(text: str) -> float:
    """How much a text looks like one, 0..1: of the characters that are not white space, the share that are letters
    (with their marks), digits, or common punctuation beside them. 0 for a text without any.

    Control, private and unassigned characters, U+FFFD, lone surrogates and symbols count against it; so does
    punctuation beyond a third of the letters and digits, since prose has less and the noise of a bad scan has more.
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
    # Putting marks in their order takes time that grows with the square of their number, and nothing can interrupt it.
    # Real text has at most 30 in a row (UAX #15, section 13, "stream-safe").
    marks = "".join(re.escape(char) for char in set(text) if unicodedata.combining(char))
    if marks and re.search(f"[{marks}]{{{_MOST_MARKS + 1},}}", text):
        raise ValueError(f"a letter has more than {_MOST_MARKS} marks")


def _strip_controls(text: str) -> str:
    """Without control and format characters, and without what no database and no JSON takes: lone surrogates."""
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
        "Puts text in order: a normal form of Unicode (parameter form: NFC or NFKC), plain white space, no control"
        " characters, words that line ends cut joined (hyphens: join or keep), paragraphs as they are or one line each"
        " (lines: keep or join). The score is the share of legible characters before that."
    )
    scored = True
    takes: Literal["text", "document"] = "text"
    timeout: float | None = None

    def check(self, phase: PhaseView) -> list[Fault]:
        return faults_of(phase, {"form": one_of(_FORMS), "hyphens": one_of(_HYPHENS), "lines": one_of(_LINES)})

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
            raise Rejected(f"the text cannot be normalized: {error}") from None
        return Output(text=text, score=legibility(work.input))

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSettings:
    """What text.template is allowed."""

    max_chars: int = 16 * 1024 * 1024  # of what a template makes

    def __post_init__(self) -> None:
        if self.max_chars <= 0:
            raise ValueError("max_chars must be positive")


class Fill:
    """The task type text.template."""

    name = "text.template"
    description = (
        "Fills in the template of the parameter template: {{input}}, {{item_input}}, {{metadata.KEY}} and"
        " {{outputs.PHASE}} stand for what the item has, and nothing else has a meaning."
    )
    scored = False
    takes: Literal["text", "document"] = "text"
    timeout: float | None = None

    def __init__(self, settings: TemplateSettings) -> None:
        self._settings = settings

    def check(self, phase: PhaseView) -> list[Fault]:
        found = faults_of(phase, {"template": template_kind(phase)})
        if "template" not in phase.parameters:
            found.append(("parameters.template", "text.template needs a template"))
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
    """Make text.template. Raises ValueError for settings that make no sense."""
    return Fill(table(tasks, "text.template", TemplateSettings))
