"""What a response has beside the text: the messages of layouts, or a file in the format that the request asks for."""

from __future__ import annotations

import asyncio

from artificer.ocr.v1 import ocr_service_pb2 as pb

from .errors import BadChoice
from .output.formats import OutputFormat, accepted
from .page.reading import Page
from .rendering import TEXT_ONLY, Rendering
from .reports import page_layout

_FORMATS: dict[int, OutputFormat] = {
    pb.OUTPUT_FORMAT_UNSPECIFIED: OutputFormat.TEXT,
    **{pb.OutputFormat.Value(f"OUTPUT_FORMAT_{form.name}"): form for form in OutputFormat},
}
_VALUES = {form: value for value, form in _FORMATS.items()}


def format_of(output: int) -> OutputFormat:
    """Returns the format of a request. Raises BadChoice for a number that is none."""
    try:
        return _FORMATS[output]
    except KeyError:
        raise BadChoice(f"there is no output format {output}", "output") from None


def accepted_format(header: str) -> int:
    """Returns the format that an Accept header asks for."""
    return _VALUES[accepted(header)]


def needs_places(output: int) -> bool:
    """Whether a format has the places of words."""
    return _FORMATS.get(output, OutputFormat.TEXT) not in TEXT_ONLY


class Content:
    """The layouts or the file of a document, to which pages are added one by one. Raises BadChoice."""

    def __init__(self, output: int, max_text: int, *, image: bool = False) -> None:
        form = format_of(output)
        self.layouts: list[pb.PageLayout] = []
        self._has_layouts = form is OutputFormat.WORDS
        is_file = form not in (OutputFormat.TEXT, OutputFormat.WORDS)
        self._file = Rendering(form, max_text, image=image) if is_file else None

    async def add(self, page: Page) -> None:
        """Add a page. Raises TooLarge."""
        if self._file is not None:
            await self._file.add(page)
        # In a thread, as `Rendering` does.
        layout = await asyncio.to_thread(page_layout, page) if self._has_layouts else None
        if layout is not None:
            self.layouts.append(layout)

    def take(self) -> str:
        """Returns a file of the pages since the last one, or nothing if no file is asked for."""
        return self._file.take() if self._file is not None else ""

    def take_layouts(self) -> list[pb.PageLayout]:
        """Returns the layouts of the pages since the last time."""
        taken, self.layouts = self.layouts, []
        return taken
