"""Makes a searchable PDF document in a worker process: of a PDF document or an image, and the layers in a file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import TooLarge
from ..images import ImageFile
from ..pdf.from_image import from_image
from ..pdf.searchable import add_text, has_signature, open_unprotected, save
from .layers import unpack_layers

_IMAGES = "1.7"  # the version of PDF of new documents; JPEG 2000 needs 1.5


def is_signed(source: str) -> bool:
    """Whether a PDF document has a signature. Raises OcrError if it is one to which no text can be added."""
    with open_unprotected(Path(source)) as pdf:
        return has_signature(pdf)


def make_searchable(
    source: str, image: ImageFile | None, dpi: int | None, output: int, output_path: str, limit: int, seconds: float
) -> int:
    """Read the layers from the file `output`, write the document over them, and return its size in bytes.

    `source` is the path of the document, and `image` the image in it, if it is one, whose resolution is `dpi` if the
    client says so. Raises OcrError, and TooLarge if
    the document would have more than `limit` bytes. A page that needs more than `seconds` ends the process.
    """
    if image is None:
        pdf = open_unprotected(Path(source))
        layers = unpack_layers(output_path)
    else:
        known = list(unpack_layers(output_path))
        sizes = {layer.page: (layer.width, layer.height) for layer in known}
        pdf = from_image(Path(source), image, sizes, dpi)
        layers = iter(known)
    with pdf:
        add_text(pdf, layers, seconds)
        os.ftruncate(output, 0)
        with _Bounded(output_path, limit) as file:
            save(pdf, cast(BinaryIO, file), _IMAGES if image is not None else "")
            return file.tell()


class _Bounded(io.FileIO):
    """A file that refuses to grow beyond a limit."""

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(path, "w")
        self._limit = limit

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # any buffer, as the base class takes
        if self.tell() + len(view) > self._limit:
            raise TooLarge(f"the searchable document would have more than {self._limit:,} bytes", "data")
        return super().write(view)
