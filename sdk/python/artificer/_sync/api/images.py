"""`client.images`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from ... import types
from ..._files import FileInput
from ..._methods.image import ImageService
from ..._methods.ocr import OCRService
from ..._options import CallOptions
from ...types.base import HttpBody
from ..resource import Resource


class Images(Resource):
    """`client.images`: changed images, and their text."""

    def process(
        self,
        file: FileInput,
        *,
        content_type: str | None = None,
        steps: Sequence[types.image.ImageStep | Mapping[str, Any]] | None = None,
        format: types.image.ImageFormat | types.image.ImageFormatName | None = None,
        quality: int | None = None,
        lossless: bool | None = None,
        keep_metadata: bool | None = None,
        background: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> HttpBody:
        """Runs steps on one image, in order, and returns the result as a file.

        The image is first turned upright if its EXIF data gives an orientation. All frames of an animation or
        pages of a TIFF are processed if the format of the result has room for them, else the first. The result
        has 8 bits for each channel, in sRGB, and no metadata.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            content_type: The media type of the image, such as "image/png". The format is always found by the
                bytes; a media type of a picture that contradicts them is refused.
            steps: The steps, at most 20.
            format: The format of the result; that of the image if it is absent, or PNG if that format is not
                written.
            quality: The quality of a JPEG, WebP, AVIF or JPEG 2000 file, from 1 to 100. The default is 80 for
                JPEG and WebP, 60 for AVIF, and lossless for JPEG 2000.
            lossless: Whether a WebP file is lossless. The other formats are always so, or never.
            keep_metadata: Whether to keep EXIF data (except the orientation, which is applied), XMP and the
                colour profile, and with it the colours as they are. They may say where and by whom a photograph was
                taken.
            background: The colour behind transparent areas if the format has no transparency, and of areas that
                rotating adds: "#rrggbb". White if it is empty.
        """
        return self._calls.unary(
            ImageService.PROCESS_IMAGE,
            {
                "content_type": content_type,
                "steps": steps,
                "format": format,
                "quality": quality,
                "lossless": lossless,
                "keep_metadata": keep_metadata,
                "background": background,
            },
            call_options,
            file=("image_data", file),
        )

    def extract_text(
        self,
        file: FileInput,
        *,
        content_type: str | None = None,
        languages: Sequence[str] | None = None,
        dpi: int | None = None,
        output: types.ocr.OutputFormat | types.ocr.OutputFormatName | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.ocr.ExtractTextFromImageResponse:
        """Reads the text of one image by OCR.

        The supported formats are PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000, PNM, AVIF and HEIC. Every page of a
        multi-page TIFF is read, in order, but only the first frame of an animated image. The image is turned
        upright if its EXIF data gives an orientation, or if its text is found to be turned or skewed.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            content_type: The media type of the image, such as "image/png". If it is empty or "application/octet-
                stream", the type is detected from the bytes. A type that contradicts the bytes is refused.
            languages: The languages of the text by their Tesseract names, such as "eng", most likely first. The
                default is the server's. "auto" alone chooses among the installed languages by the script of each
                page. A language that is not installed is refused; the error lists the installed ones.
            dpi: The resolution of the image in dots per inch, from 50 to 1200. The default is the resolution that
                the image file states, or an estimate if it states none.
            output: What the response has beside the text.
        """
        return self._calls.unary(
            OCRService.EXTRACT_TEXT_FROM_IMAGE,
            {"content_type": content_type, "languages": languages, "dpi": dpi, "output": output},
            call_options,
            file=("image_data", file),
        )
