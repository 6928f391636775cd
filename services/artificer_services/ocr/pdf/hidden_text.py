"""Removes the invisible text of an earlier OCR run from a page, through pikepdf.

Removes only what is shown in render mode 3; all else on the page stays.
"""

from __future__ import annotations

from typing import Any

import pikepdf
from pikepdf import Dictionary, Name, Object, Operator, Page, Pdf, Stream

_INVISIBLE = 3  # ISO 32000-2, 9.3.6
_SHOWS = {"Tj", "TJ", "'", '"'}
_NEXT_LINE = {"'", '"'}  # these begin a line before they show text
_SPACINGS = (Operator("Tw"), Operator("Tc"))  # what `"` sets by its first two operands, also for the text after it
_MOST_BYTES = 32 * 1024 * 1024  # of one content stream; layers of a page have a hundredth of that
_DEEPEST = 20  # forms within forms; layers are in the page or in a form that it draws


class HiddenText:
    """Removes invisible text from pages of one document.

    A form that pages share is looked at once, so that forms which draw one another in many ways cost no more.
    """

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._forms: dict[tuple[int, int], Object | None] = {}  # what replaces a form, by its number

    def remove(self, page: Page) -> None:
        """Remove the text from a page and from the forms that it draws, of which the page gets its own copies."""
        page.contents_coalesce()
        contents = page.obj.get("/Contents")
        if isinstance(contents, Stream):
            kept = _without_hidden(contents)
            if kept is not None:
                page.obj.Contents = self._pdf.make_indirect(Stream(self._pdf, kept))
        resources = self._cleaned(page.resources, 0)
        if resources is not None:
            page.obj.Resources = resources

    def _cleaned(self, resources: Object, depth: int) -> Dictionary | None:
        """Returns resources with forms that have no invisible text; None if that changes nothing."""
        forms = resources.get("/XObject") if isinstance(resources, Dictionary) else None
        if not isinstance(forms, Dictionary) or depth == _DEEPEST:
            return None
        changed: dict[str, Object] = {}
        for name, form in forms.items():
            if isinstance(form, Stream) and form.get("/Subtype") == Name.Form:
                cleaned = self._replacement(form, depth)
                if cleaned is not None:
                    changed[name] = cleaned
        if not changed:
            return None
        return Dictionary({**dict(resources.items()), "/XObject": Dictionary({**dict(forms.items()), **changed})})

    def _replacement(self, form: Stream, depth: int) -> Object | None:
        if form.objgen not in self._forms:
            self._forms[form.objgen] = None  # for a form that draws itself
            self._forms[form.objgen] = self._copy(form, depth)
        return self._forms[form.objgen]

    def _copy(self, form: Stream, depth: int) -> Object | None:
        kept = _without_hidden(form)
        inner = self._cleaned(form.get("/Resources", Dictionary()), depth + 1)
        if kept is None and inner is None:
            return None
        about = {key: value for key, value in form.items() if key not in ("/Length", "/Filter", "/DecodeParms")}
        copy = Stream(self._pdf, form.read_bytes() if kept is None else kept, about)
        if inner is not None:
            copy.Resources = inner
        return self._pdf.make_indirect(copy)


def _without_hidden(stream: Stream) -> bytes | None:
    """Returns a content stream without invisible text; None if it has none."""
    data = stream.read_bytes()
    if b"Tr" not in data or len(data) > _MOST_BYTES:
        return None
    modes, mode, found = [], 0, False
    kept: list[pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage] = []
    for instruction in pikepdf.parse_content_stream(stream):
        operator = str(instruction.operator)
        if operator == "q":
            modes.append(mode)
        elif operator == "Q" and modes:
            mode = modes.pop()
        elif operator == "Tr" and instruction.operands:
            mode = _mode(instruction.operands[0])
        elif operator in _SHOWS and mode == _INVISIBLE:
            found = True
            if operator not in _NEXT_LINE:
                continue
            spacings = instruction.operands[:-1] if operator == '"' else ()
            kept += (
                pikepdf.ContentStreamInstruction([value], name)
                for value, name in zip(spacings, _SPACINGS, strict=False)
            )
            instruction = pikepdf.ContentStreamInstruction([], Operator("T*"))
        kept.append(instruction)
    return pikepdf.unparse_content_stream(kept) if found else None


def _mode(operand: Any) -> int:
    try:
        return int(operand)
    except (TypeError, ValueError):
        return 0
