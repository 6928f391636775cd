"""The command `artificer convert`, a client of ConversionService.

Prints the document to standard output and everything else to standard error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import files
from .errors import Usage
from .options import linked
from .session import Session

if TYPE_CHECKING:
    from .._sync.downloads import Download

_TEXT = ("text/", "application/x-latex", "application/rtf", "application/x-ipynb+json", "application/json")


class Media(StrEnum):
    """What becomes of pictures inside the document in a text format."""

    EMBED = "embed"
    OMIT = "omit"


@linked
def convert(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The document; - means standard input.")],
    to: Annotated[
        str, typer.Option(metavar="FORMAT", help="The format to convert to, such as md. Default: by the --output file.")
    ] = "",
    input_format: Annotated[
        str, typer.Option("--from", metavar="FORMAT", help="The format of the document. Default: found by the server.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    standalone: Annotated[bool, typer.Option(help="Write a whole file in a text format, such as HTML.")] = False,
    media: Annotated[
        Media | None, typer.Option(help="Embed pictures in text formats as data URIs, or omit them.")
    ] = None,
) -> None:
    """Convert a document: docx, odt, epub, HTML, Markdown and others, into one another."""
    to = to or (output.suffix.removeprefix(".") if output else "")
    if not to:
        raise Usage("the format to convert to is missing: use --to, or --output with a file extension")
    from ..types.convert import MediaHandling

    files.check_readable(file)
    with (
        session.failures(),
        session.client.documents.convert(
            files.pieces_of(file) if file == "-" else file,
            to=to,
            input_format=input_format,
            # Names of files need not be UTF-8, but protobuf strings must.
            filename="" if file == "-" else os.fsencode(os.path.basename(file)).decode(errors="replace"),
            standalone=standalone,
            media=None if media is None else MediaHandling[media.name],
        ) as made,
    ):
        files.write(_received(made, output), output)


def _received(made: Download, output: Path | None) -> Iterator[bytes]:
    for piece in made:
        files.check_output(output, text=made.content_type.startswith(_TEXT))
        yield piece
