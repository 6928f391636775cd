"""Reads the only file of a form, as a browser or `curl -F` sends it (RFC 7578)."""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ...kit.errors import Fault, Invalid
from ..reading.values import Asset

FORM = "multipart/form-data"
_MOST_BOUNDARY = 70  # characters (RFC 2046, 5.1.1)


def file_of(data: bytes, content_type: str) -> Asset:
    """Returns the file of a form. Raises Invalid unless it has one file and nothing else."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= _MOST_BOUNDARY:
        raise Invalid(Fault("content_type", "a form must name its boundary"))
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks, max_size=float("inf"))  # type: ignore[arg-type]  # a TypedDict of these
        parser.write(data)
        parser.finalize()
    except FormParserError:
        raise Invalid(Fault("data", "the form is malformed")) from None
    if not form.ended:
        raise Invalid(Fault("data", "the form is cut off"))
    if len(form.files) != 1:
        raise Invalid(Fault("data", f"a form must have one file, but has {len(form.files)}"))
    return form.files[0]


class _Form:
    """The parts of a form, as its parser finds them."""

    def __init__(self) -> None:
        self.files: list[Asset] = []
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value, self._body = bytearray(), bytearray(), bytearray()
        self.callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header,
            "on_part_data": self._data,
            "on_part_end": self._part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers = {}
        self._body = bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._body += memoryview(data)[start:end]

    def _part(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition", b""))[1]
        if b"filename" not in options:
            raise Invalid(Fault("data", "a form may have the file only; send the other fields in the query"))
        name = options[b"filename"].decode("utf-8", "replace").replace("%22", '"')  # as browsers send a quote
        name = name.replace("\\", "/").rpartition("/")[2]
        kind = self._headers.get(b"content-type", b"").decode("latin-1").strip()
        self.files.append(Asset(data=bytes(self._body), content_type=kind, filename=name))

    def _end(self) -> None:
        self.ended = True
