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
from ..fields import HTTP_BODY, FieldPath, UnknownField, check_depth, is_map, is_scalar, owner_message, resolve
from ..status import StatusError, Violation, invalid, violations
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


_Put = Callable[[Message, FormPart, list[str]], None]
"""Sets a part's field; appends the paths of unknown fields in it to the list. Raises ValueError or StatusError."""


class FormBinder:
    """Sets the fields of a message from the parts of a form.

    `deepest` is the largest number of names between the dots of a part's name.
    """

    def __init__(self, message: Descriptor, codec: Codec, *, policy: Policy, deepest: int) -> None:
        self._message, self._codec, self._policy, self._deepest = message, codec, policy, deepest
        self._known: dict[str, tuple[FieldPath, _Put]] = {}

    def bind(self, request: Message, body: bytes, content_type: ContentType, warnings: list[str]) -> None:
        """Sets every part's field on `request`. Raises INVALID_ARGUMENT that names each invalid part."""
        faults: list[Violation] = []
        sources = _Sources()
        for part in parts(body, content_type):
            try:
                path, put = self._known.get(part.name) or self._resolve(part.name)
                sources.add(path)
                unknown_below: list[str] = []
                put(request, part, unknown_below)
                warnings.extend(_below(part.name, path, field) for field in unknown_below)
            except UnknownField as unknown:
                if self._policy == "strict":
                    faults.append(Violation(part.name, str(unknown)))
                elif self._policy == "warn":
                    warnings.append(part.name)
            except StatusError as refused:
                faults.extend(
                    Violation(_below(part.name, path, one.field), one.description) for one in violations(refused)
                )
            except ValueError as fault:
                if self._policy != "ignore" or not isinstance(fault, UnknownEnumName):
                    faults.append(Violation(part.name, str(fault)))
        if faults:
            raise invalid(*faults[:20])

    def _resolve(self, name: str) -> tuple[FieldPath, _Put]:
        check_depth(name, self._deepest)
        path = resolve(self._message, name)
        found = self._setter(path)
        if len(path.fields) == 1:  # deeper fields may have any number of names
            self._known[name] = found
        return found

    def _setter(self, path: FieldPath) -> tuple[FieldPath, _Put]:
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

    def _json(self, path: FieldPath, kind: Descriptor) -> _Put:
        message_type = message_factory.GetMessageClass(kind)
        decode, owner = self._codec.decoder(message_type), owner_of(path)
        name, repeated = path.leaf.name, path.leaf.is_repeated

        def put(message: Message, part: FormPart, unknown: list[str]) -> None:
            value = decode(bytes(part.data), unknown)
            target = getattr(owner(message), name)
            (target.append if repeated else target.CopyFrom)(value)

        return put

    def _json_map(self, path: FieldPath) -> _Put:
        message_type = message_factory.GetMessageClass(owner_message(path.leaf))
        decode, owner = self._codec.field_decoder(message_type, path.leaf), owner_of(path)
        return lambda message, part, unknown: owner(message).MergeFrom(decode(bytes(part.data), unknown))


class _Sources:
    """The fields that the parts of a form have set, to refuse a second part for one of them."""

    def __init__(self) -> None:
        self._set: set[tuple[str, ...]] = set()
        self._above: set[tuple[str, ...]] = set()

    def add(self, path: FieldPath) -> None:
        """Raises ValueError if an earlier part has set the field, the message around it, or a field below it."""
        names = path.names
        above = [names[:depth] for depth in range(1, len(names))]
        if not path.leaf.is_repeated:
            if names in self._set:
                raise ValueError("repeated part; the field takes a single value")
            if names in self._above:
                raise ValueError("another part sets a field below this message")
            self._set.add(names)
        for message in above:
            if message in self._set:
                raise ValueError(f"the part {'.'.join(message)!r} sets this field")
        self._above.update(above)


def _below(name: str, path: FieldPath, field: str) -> str:
    """Returns the path of a field in the JSON of the part `name`; `field` is its path there."""
    inner = field.removeprefix(path.leaf.json_name) if is_map(path.leaf) else field
    return name + inner if inner.startswith("[") or not inner else f"{name}.{inner}"


def _scalar(path: FieldPath) -> _Put:
    read = text_reader(path.leaf)
    put_text: Setter = setter(path, read)
    raw = _raw(path) if path.leaf.type == FieldDescriptor.TYPE_BYTES else None

    def put(message: Message, part: FormPart, unknown: list[str]) -> None:
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


def _http_body(path: FieldPath) -> _Put:
    owner, name, repeated = owner_of(path), path.leaf.name, path.leaf.is_repeated

    def put(message: Message, part: FormPart, unknown: list[str]) -> None:
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
