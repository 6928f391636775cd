"""Binds multipart/form-data: a part sets the field of its name.

The parts are kept in memory, within the body's limit, so that no temporary file can outlive its request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message as Headers
from typing import TYPE_CHECKING

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from ..codec import Codec, Policy, UnknownEnumName, text_reader
from ..fields import HTTP_BODY, FieldPath, UnknownField, is_map, is_scalar, owner_message, resolve
from ..status import StatusError, Violation, invalid
from .content import ContentType
from .setters import Setter, owner_of, setter

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# A limit, since a part costs memory beyond its bytes; 1000 is also Starlette's default.
MAX_PARTS = 1000
_MAX_HEADER_BYTES = 16 * 1024


@dataclass(slots=True)
class FormPart:
    """One part of a form: the field's name, the file name if any, the content type, the bytes."""

    name: str = ""
    filename: str | None = None
    content_type: str = ""
    data: bytearray = field(default_factory=bytearray)


class FormBinder:
    """Sets the fields of a message from the parts of a form."""

    def __init__(self, message: Descriptor, codec: Codec, policy: Policy) -> None:
        self._message, self._codec, self._policy = message, codec, policy
        self._known: dict[str, tuple[FieldPath, Callable[[Message, FormPart], None]]] = {}

    def bind(self, request: Message, body: bytes, content_type: ContentType, warnings: list[str]) -> None:
        """Sets every part's field on `request`. Raises INVALID_ARGUMENT that names each invalid part."""
        faults: list[Violation] = []
        seen: set[tuple[str, ...]] = set()
        for part in parts(body, content_type):
            try:
                path, put = self._known.get(part.name) or self._resolve(part.name)
                if not path.leaf.is_repeated:
                    if path.names in seen:
                        raise ValueError("repeated part; the field takes a single value")
                    seen.add(path.names)
                put(request, part)
            except UnknownField as unknown:
                if self._policy == "strict":
                    faults.append(Violation(part.name, str(unknown)))
                elif self._policy == "warn":
                    warnings.append(part.name)
            except StatusError as refused:
                faults.append(Violation(part.name, refused.status.message))
            except ValueError as fault:
                if self._policy != "ignore" or not isinstance(fault, UnknownEnumName):
                    faults.append(Violation(part.name, str(fault)))
        if faults:
            raise invalid(*faults[:20])

    def _resolve(self, name: str) -> tuple[FieldPath, Callable[[Message, FormPart], None]]:
        path = resolve(self._message, name)
        found = self._setter(path)
        if len(path.fields) == 1:  # deeper fields may have any number of names
            self._known[name] = found
        return found

    def _setter(self, path: FieldPath) -> tuple[FieldPath, Callable[[Message, FormPart], None]]:
        leaf = path.leaf
        kind = leaf.message_type
        if kind is None:
            return path, _scalar(path)
        if kind.full_name == HTTP_BODY:
            return path, _http_body(path)
        if is_map(leaf):
            return path, self._json_map(path)
        if is_scalar(leaf):
            return path, _scalar(path)
        return path, self._json(path, kind)

    def _json(self, path: FieldPath, kind: Descriptor) -> Callable[[Message, FormPart], None]:
        message_type = message_factory.GetMessageClass(kind)
        decode, owner = self._codec.decoder(message_type), owner_of(path)
        name, repeated = path.leaf.name, path.leaf.is_repeated

        def put(message: Message, part: FormPart) -> None:
            value = decode(bytes(part.data), [])
            target = getattr(owner(message), name)
            (target.append if repeated else target.CopyFrom)(value)

        return put

    def _json_map(self, path: FieldPath) -> Callable[[Message, FormPart], None]:
        message_type = message_factory.GetMessageClass(owner_message(path.leaf))
        decode, owner = self._codec.field_decoder(message_type, path.leaf), owner_of(path)
        return lambda message, part: owner(message).MergeFrom(decode(bytes(part.data), []))


def _scalar(path: FieldPath) -> Callable[[Message, FormPart], None]:
    read = text_reader(path.leaf)
    put_text: Setter = setter(path, read)
    raw = _raw(path) if path.leaf.type == FieldDescriptor.TYPE_BYTES else None

    def put(message: Message, part: FormPart) -> None:
        # A file, or a part with a content type, sets a bytes field as it is; other parts hold the JSON form, base64.
        if raw is not None and (part.filename is not None or part.content_type):
            raw(message, bytes(part.data))
            return
        try:
            text = part.data.decode()
        except UnicodeDecodeError:
            raise ValueError("the part is not valid UTF-8") from None
        put_text(message, text)

    return put


def _raw(path: FieldPath) -> Callable[[Message, bytes], None]:
    owner, name = owner_of(path), path.leaf.name
    if path.leaf.is_repeated:
        return lambda message, data: getattr(owner(message), name).append(data)
    return lambda message, data: setattr(owner(message), name, data)


def _http_body(path: FieldPath) -> Callable[[Message, FormPart], None]:
    owner, name, repeated = owner_of(path), path.leaf.name, path.leaf.is_repeated

    def put(message: Message, part: FormPart) -> None:
        holder = owner(message)
        body = getattr(holder, name).add() if repeated else getattr(holder, name)
        body.content_type, body.data = part.content_type, bytes(part.data)

    return put


def parts(body: bytes, content_type: ContentType) -> Iterator[FormPart]:
    """Yields the parts of a form in order. Raises INVALID_ARGUMENT for a malformed form (RFC 7578)."""
    boundary = content_type.parameter("boundary")
    if not boundary:
        raise invalid(Violation("", "missing boundary; expected multipart/form-data; boundary=…"))
    reader = _PartCollector()
    try:
        parser = MultipartParser(boundary.encode("latin-1"), reader.callbacks(), max_size=float("inf"))
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise invalid(Violation("", "malformed multipart form")) from None
    if not reader.ended:
        raise invalid(Violation("", "truncated multipart form: the closing boundary is missing"))
    return iter(reader.parts)


class _PartCollector:
    """Collects parts from python-multipart's callbacks."""

    def __init__(self) -> None:
        self.parts: list[FormPart] = []
        self.ended = False
        self._name = bytearray()
        self._value = bytearray()
        self._headers = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise invalid(Violation("", f"the form has more than {MAX_PARTS} parts"))
        self.parts.append(FormPart())
        self._headers = 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += memoryview(data)[start:end]

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._headers += size
        if self._headers > _MAX_HEADER_BYTES:
            raise invalid(Violation("", f"the headers of a form part are larger than {_MAX_HEADER_BYTES} bytes"))

    def _header_end(self) -> None:
        name, value = bytes(self._name).lower(), self._value.decode("utf-8", "replace")
        self._name.clear()
        self._value.clear()
        part = self.parts[-1]
        if name == b"content-disposition":
            parsed = Headers()
            parsed["content-disposition"] = value
            found = parsed.get_param("name", header="content-disposition")
            part.name = found if isinstance(found, str) else ""
            part.filename = parsed.get_filename()
        elif name == b"content-type":
            part.content_type = value.strip()

    def _headers_finished(self) -> None:
        if not self.parts[-1].name:
            raise invalid(Violation("", "a form part has no name; expected content-disposition: form-data; name=…"))

    def _end(self) -> None:
        self.ended = True
