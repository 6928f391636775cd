"""The command `artificer ocr`: reads documents by a gateway's OCR service, or by one in this process.

Prints results to standard output and everything else to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from . import files, inputs
from .errors import Failed, Unreachable, Usage
from .ocr_progress import showing
from .ocr_reading import Asked, OutputKind, Reader
from .ocr_remote import RemoteReader
from .options import linked
from .session import Session
from .text import one_line

# The files of a folder that are read; a file that is named itself may have any suffix.
_SUFFIXES = (".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".jp2", ".pnm", ".pbm", ".pgm",
             ".ppm", ".avif", ".heic", ".heif")  # fmt: skip
_EXTENSIONS = {OutputKind.ALTO: "xml"}  # the others are named as the forms


@linked
def ocr(
    session: Session,
    places: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="PDF documents and images; a folder; - is standard input.")
    ],
    pages: Annotated[str, typer.Option(metavar="RANGES", help="The pages to read, such as 1-3,7,10-.")] = "",
    lang: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A language of the text, such as deu or deu+eng; repeatable."),
    ] = None,
    output: Annotated[OutputKind, typer.Option(help="The form of the result.")] = OutputKind.TXT,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", help="Write to this file; to this folder if there are several."),
    ] = None,
    dpi: Annotated[int | None, typer.Option(help="The resolution of an image, or at which pages are drawn.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Read every page by OCR, even one with usable text.")] = False,
    password: Annotated[
        str, typer.Option(envvar="ARTIFICER_OCR_PASSWORD", metavar="TEXT", help="The password of the documents.")
    ] = "",
    local: Annotated[bool, typer.Option("--local", help="Read in this process, without a server.")] = False,
) -> None:
    """Read the text of PDF documents and images, or make them searchable.

    The exit code is 1 if a file could not be read. Pages that could not be read are reported and do not count.
    """
    asked = Asked(
        output=output,
        pages=pages,
        languages=tuple(name for text in lang or () for name in text.replace("+", " ").replace(",", " ").split()),
        dpi=dpi,
        force=force,
        password=password,
    )
    console = Console(stderr=True)
    jobs = list(_jobs(_sources(places, console), out, output))
    files.check_output(jobs[0][1], text=output is not OutputKind.PDF)
    with _reader(session, local) as reader:
        failed = [source for source, target in jobs if not _read(reader, asked, source, target, len(jobs), console)]
    if failed:
        raise typer.Exit(1)


def _reader(session: Session, local: bool) -> AbstractContextManager[Reader]:
    if not local:
        return nullcontext(RemoteReader(session))
    from importlib.metadata import entry_points

    for found in entry_points(group="artificer.cli.local", name="ocr"):
        reader: AbstractContextManager[Reader] = found.load()()
        return reader
    raise Usage("--local reads with the OCR service itself: install artificer-services")


def _sources(places: Sequence[str], console: Console) -> list[str]:
    found: list[str] = []
    for place in places:
        if place != "-" and Path(place).is_dir():
            inside = inputs.files_in([place], lambda path, what: _warn(console, f"{path} is {what}: skipped"))
            found += [str(path) for path in inside if path.suffix.lower() in _SUFFIXES]
        else:
            files.check_readable(place)
            found.append(place)
    if not found:
        raise Usage("there are no PDF documents or images in the folder")
    return found


def _jobs(sources: Sequence[str], out: Path | None, output: OutputKind) -> Iterator[tuple[str, Path | None]]:
    """Yields each file with the one to write to, None for standard output. Raises Usage."""
    if len(sources) > 1 and out is None:
        raise Usage("several files need a folder for their results: use --out")
    if out is None or (len(sources) == 1 and not out.is_dir()):
        yield sources[0], out
        return
    out.mkdir(exist_ok=True)
    seen: dict[Path, str] = {}
    for source in sources:
        name = "stdin" if source == "-" else Path(source).stem
        target = out / f"{name}.{_EXTENSIONS.get(output, output)}"
        if target in seen:
            raise Usage(f"the results of {seen[target]} and {source} would both be {target}")
        if source != "-" and target.exists() and target.samefile(source):
            raise Usage(f"{source} would be overwritten: use another folder for --out")
        seen[target] = source
        yield source, target


def _read(reader: Reader, asked: Asked, source: str, target: Path | None, count: int, console: Console) -> bool:
    """Read one file and write its result; returns whether that was possible. Raises if it is the only file."""
    try:
        data = b"".join(files.pieces_of(source))
        with showing(source, console) as progress:
            pieces = reader.read(data, asked, progress)
        files.write(pieces, target)
    except Unreachable:
        raise
    except Failed as error:
        if count == 1:
            raise
        _warn(console, f"{source}: {error.message}")
        return False
    for number, message in progress.errors:
        _warn(console, f"{source}: page {number}: {message}")
    return True


def _warn(console: Console, message: str) -> None:
    sys.stdout.flush()
    console.print(f"artificer: {one_line(message)}", markup=False, highlight=False, soft_wrap=True)
