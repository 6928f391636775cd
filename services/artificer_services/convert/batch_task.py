"""document.convert, the task type of batch jobs that converts documents; an entry point names this module.

Knows the batch service only through Protocols, since services never import one another.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..kit.parameters import truth
from ..kit.task_tables import table
from ..kit.task_types import NotDone, Phase, TaskLoop, Work, faults_of
from ..kit.workers.errors import BadChoice, BadDocument, TooLarge, Unexpected, WorkError
from . import formats

if TYPE_CHECKING:
    from .settings import ConvertSettings

_log = logging.getLogger(__name__)

_MEDIA = ("embed", "omit")
_FINAL = (BadDocument, BadChoice, TooLarge)  # a retry cannot succeed


def _output(text: str) -> str:
    if formats.output_named(text) is None:
        raise ValueError(f"must be one of {', '.join(formats.OUTPUTS)}, not {text[:64]!r}")
    return text


def _input(text: str) -> str:
    if formats.input_named(text) is None:
        raise ValueError(f"must be one of {', '.join(formats.INPUTS)}, not {text[:64]!r}")
    return text


def _media(text: str) -> str:
    if text not in _MEDIA:
        raise ValueError(f"must be one of {', '.join(_MEDIA)}, not {text[:64]!r}")
    return text


class ConvertTask:
    """The task type document.convert."""

    name = "document.convert"
    description = (
        "Converts documents such as docx, odt, HTML and Markdown, given as a path, a data URI, or blob: and an id."
        " Gives the text of a text format, and blob: and an id for one such as docx. Parameters: to (md), input_format,"
        " standalone, media (embed or omit); an item's metadata may have its file name as name."
    )
    scored = False
    takes = "document"
    timeout: float | None = None

    def __init__(self, settings: ConvertSettings) -> None:
        from .engine import Converter

        self._loop = TaskLoop()
        self._converter = Converter(settings)

    def check(self, phase: Phase) -> list[tuple[str, str]]:
        """See the batch service's `Task`."""
        kinds = {"to": _output, "input_format": _input, "standalone": truth, "media": _media}
        found = faults_of(self.name, phase, kinds)
        if not self._converter.installed:
            found.append(("task_type", "the server has no Pandoc; install 'artificer-services[convert]'"))
        return found

    def run(self, work: Work) -> str:
        """See the batch service's `Task`."""
        from .engine import Choices

        data, content_type = work.read_document()
        asked = work.phase.parameters
        to = asked.get("to", "md")
        choices = Choices(
            to=to,
            input_format=asked.get("input_format", ""),
            content_type=content_type,
            filename=work.metadata.get("name", ""),
            standalone=truth(asked.get("standalone", "false")),
            media=asked.get("media", ""),
        )
        try:
            made = self._loop.run(self._converter.convert_bytes(data, choices), work.cancelled)
        except WorkError as error:
            if isinstance(error, Unexpected):
                _log.error("internal error while converting a document: %s", error.message)
                raise NotDone("internal error while converting the document", final=False) from error
            raise NotDone(error.message, final=isinstance(error, _FINAL)) from error
        target = formats.output_named(to)
        if target is None or target.format.binary:
            return work.save_blob(made, target.format.media_type if target else "")
        return made.decode(errors="replace").replace("\0", "")  # which PostgreSQL refuses

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()


def create(tasks: Mapping[str, Any]) -> ConvertTask:
    """Returns the document.convert task with the settings from its table. Raises ValueError for invalid settings."""
    from .settings import ConvertSettings

    return ConvertTask(table(tasks, ConvertTask.name, ConvertSettings, workers=1))
