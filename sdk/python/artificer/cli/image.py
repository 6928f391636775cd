"""The command `artificer image`, a client of ImageService.

Writes the image to standard output or a file, and everything else to standard error.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import files
from .errors import Usage
from .options import linked
from .session import Session

if TYPE_CHECKING:
    from ..types.image import ImageFormat

_FORMATS = {"jpg": "jpeg", "tif": "tiff", "j2k": "jp2"}
_CALL_SECONDS = 120.0  # the server's own limit is a minute for each image, beside waiting


class ImageKind(StrEnum):
    """The formats that can be written."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"
    TIFF = "tiff"
    GIF = "gif"
    JP2 = "jp2"


class Fit(StrEnum):
    """What happens to an image of another ratio."""

    INSIDE = "inside"
    COVER = "cover"
    FILL = "fill"


@linked
def image(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The image; - means standard input.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    to: Annotated[
        ImageKind | None, typer.Option(help="The format. Default: by the --output file, else that of the image.")
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="The size in pixels, such as 300x200, 300x or x200.")
    ] = "",
    fit: Annotated[Fit, typer.Option(help="For a size of another ratio: fit inside, cover and cut, or stretch.")] = (
        Fit.INSIDE
    ),
    rotate: Annotated[float, typer.Option(help="Rotate by degrees, clockwise.")] = 0.0,
    gray: Annotated[bool, typer.Option("--gray", help="Remove colour.")] = False,
    deskew: Annotated[bool, typer.Option("--deskew", help="Straighten a scan.")] = False,
    denoise: Annotated[bool, typer.Option("--denoise", help="Remove specks.")] = False,
    binarise: Annotated[bool, typer.Option("--binarise", help="Make a scan black and white.")] = False,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="The quality of a JPEG, WebP or AVIF.")] = None,
    keep_metadata: Annotated[bool, typer.Option("--keep-metadata", help="Keep EXIF, XMP and the colours.")] = False,
) -> None:
    """Change an image: rotate, straighten, resize, clean and convert it, in this order."""
    files.check_readable(file)
    files.check_output(output, text=False)
    with session.failures():
        made = session.client.images.process(
            b"".join(files.pieces_of(file)),
            steps=list(_steps(size, fit, rotate=rotate, gray=gray, deskew=deskew, denoise=denoise, binarise=binarise)),
            format=_format(to, output),
            quality=quality,
            keep_metadata=keep_metadata,
            timeout=_CALL_SECONDS,
        )
    files.write([made.data], output)


def _steps(
    size: str, fit: Fit, *, rotate: float, gray: bool, deskew: bool, denoise: bool, binarise: bool
) -> Iterator[dict[str, Any]]:
    """Yields the steps in the order of the command's help."""
    if rotate:
        yield {"rotate": {"degrees": rotate}}
    if deskew:
        yield {"deskew": {}}
    if size:
        width, height = _size(size)
        yield {"resize": {"width": width, "height": height, "fit": fit.value}}
    if gray:
        yield {"grayscale": {}}
    if denoise:
        yield {"denoise": {}}
    if binarise:
        yield {"binarise": {}}


def _format(to: ImageKind | None, output: Path | None) -> ImageFormat | None:
    name = to.value if to else output.suffix.removeprefix(".").lower() if output else ""
    if not name:
        return None
    name = _FORMATS.get(name, name)
    if name not in list(ImageKind):
        raise Usage(f"cannot write '{name}' files; expected one of {', '.join(ImageKind)}")
    from ..types.image import ImageFormat

    return ImageFormat[name.upper()]


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not all(side == "" or (side.isdecimal() and len(side) < 6) for side in (width, height)) or not (width or height):
        raise Usage(f"the size must be such as 300x200, 300x or x200, not '{text}'")
    return int(width or 0), int(height or 0)
