"""Builds a request message from a path, a query and a body; each field has a single source.

`Binder` is the interface, built at start-up for one binding. It converts values from the wire to a message, or raises
INVALID_ARGUMENT that names each invalid field; it knows neither routes nor calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ..codec import DEFAULT, Codec, Decoder, Parameters, parse_json, text_reader
from ..fields import (
    FIELD_MASK,
    HTTP_BODY,
    OPAQUE_MESSAGES,
    SCALAR_MESSAGES,
    FieldPath,
    by_any_name,
)
from ..methods import Method
from ..rules import Binding
from ..settings import Settings
from ..status import Code, Violation, error, invalid
from .content import JSON, ContentType
from .multipart import FormBinder
from .query import QueryBinder
from .setters import Setter, owner_of, setter

__all__ = ["JSON", "Binder", "Bound", "ContentType", "raw_field"]

MULTIPART = "multipart/form-data"
_COVERED = "query parameters are not allowed; the body sets every field of this method"


class Bound(NamedTuple):
    """A request message, and the system parameters that shape its response."""

    request: Message
    parameters: Parameters


# A named tuple's own `__new__` is a function, whose call takes most of the time.
_new_bound: Callable[[tuple[Message, Parameters]], Bound] = partial(tuple.__new__, Bound)


class Binder:
    """Builds the request messages of one binding.

    `framed` is for protocols whose frames are whole messages, JSON or protobuf, never raw bytes or a form.
    """

    def __init__(
        self, method: Method, binding: Binding, codec: Codec, settings: Settings, *, framed: bool = False
    ) -> None:
        self._message_class = method.request
        descriptor = binding.method.input_type
        self._variables = [_Variable(path, binding) for _, path in binding.variables]
        self._setters = tuple(one.put for one in self._variables)
        self._body = _framed_body(method, binding, codec) if framed else _body_of(method, binding, codec, settings)
        bound = [(path, "path") for _, path in binding.variables]
        if binding.body is not None:
            bound.append((FieldPath((binding.body,)), "body"))
        elif (raw := self._body.raw_field) is not None:
            bound.append((FieldPath((raw,)), "body"))
        self._query = QueryBinder(descriptor, bound, policy=settings.unknown_fields, most=settings.max_elements)
        self._mask = _mask_field(descriptor, binding)
        self._body_field, self._whole = binding.body, binding.whole_body
        self.takes_body = not isinstance(self._body, _NoBody)
        """Whether the binding reads a body; if not, only an empty one is accepted."""

    def bind(
        self, values: tuple[str, ...], query: bytes, body: bytes, content_type: ContentType, warnings: list[str]
    ) -> Bound:
        """Builds a request. `values` are the path's, in the order of its variables; unknown fields that the policy
        accepts are appended to `warnings`.

        Raises INVALID_ARGUMENT, with http 415 for an unsupported content type.
        """
        has_body = self.takes_body or bool(body)
        if not has_body and not query:
            return _new_bound((self.from_path(values), DEFAULT))
        request, covered = self._body.read(self._message_class, body, content_type, warnings)
        parameters = DEFAULT
        if query:
            parameters = self._query.bind(request, query, warnings, closed=_COVERED if covered else None)
        if values:
            for put, text in zip(self._setters, values, strict=True):
                put(request, text)
        if has_body:
            self._body.finish(request, content_type, body)
        if self._mask is not None and body and content_type.is_json:
            self._fill_mask(request, body)
        return _new_bound((request, parameters))

    def elements(
        self, values: tuple[str, ...], query: bytes, content_type: ContentType, warnings: list[str]
    ) -> Callable[[bytes], Message]:
        """Returns a function that builds the requests of a stream, each from its body, as `bind` does."""
        decode = self._body.decode
        # Most streams bind only JSON bodies, whose decoder returns the request.
        if decode is None or query or values or self._mask is not None or content_type.text != JSON.text:
            return lambda body: self.bind(values, query, body, content_type, warnings).request
        return lambda body: decode(body, warnings)

    def from_path(self, values: tuple[str, ...]) -> Message:
        """Does the same as `bind` for a request with neither query nor body, and a binding that reads none."""
        request = self._message_class()
        if len(values) == 1:  # a loop over both costs twice as much
            self._setters[0](request, values[0])
        elif values:
            for put, text in zip(self._setters, values, strict=True):
                put(request, text)
        return request

    def complete(self, values: tuple[str, ...], query: bytes, message: Message, warnings: list[str]) -> Message:
        """Adds the fields of the path and the query to a message that arrived as protobuf.

        The message's own values win over the query's. Raises INVALID_ARGUMENT if they differ from the path's.
        """
        if query:
            request = self._message_class()
            self._query.bind(request, query, warnings, closed=_COVERED if self._whole else None)
            request.MergeFrom(message)
            message = request
        for variable, text in zip(self._variables, values, strict=True):
            variable.agree(message, text)
        return message

    def parameters(self, query: bytes) -> Parameters:
        """Reads only the system parameters, for streams whose response may begin before the first complete request."""
        return self._query.parameters(query)

    def takes_raw(self, content_type: ContentType) -> bool:
        """Returns whether a body of this type is bound as raw bytes (in pieces, if the client streams)."""
        return self._body.takes_raw(content_type)

    def _fill_mask(self, request: Message, body: bytes) -> None:
        mask, field = self._mask, self._body_field
        if mask is None or field is None or field.message_type is None or getattr(request, mask.name).paths:
            return
        getattr(request, mask.name).paths.extend(_paths(field.message_type, parse_json(body), ""))


class _Variable:
    """One path variable; if the body sets the field too, the values must be equal."""

    __slots__ = ("_in_body", "_owner", "_path", "_put", "_read", "put")

    def __init__(self, path: FieldPath, binding: Binding) -> None:
        self._path, self._read, self._owner = path, text_reader(path.leaf), owner_of(path)
        self._put: Setter = setter(path, self._read)
        self._in_body = binding.whole_body or path.fields[0] == binding.body
        # Any text is a string, so nothing can be wrong.
        direct = path.leaf.type == FieldDescriptor.TYPE_STRING and not path.leaf.is_repeated and not self._in_body
        self.put: Setter = self._put if direct else self._checked
        """Sets the field. Raises INVALID_ARGUMENT."""

    def _checked(self, request: Message, text: str) -> None:
        self._set(request, text, may_be_set=self._in_body)

    def agree(self, request: Message, text: str) -> None:
        self._set(request, text, may_be_set=True)

    def _set(self, request: Message, text: str, *, may_be_set: bool) -> None:
        try:
            if may_be_set and self._is_set(request):
                if getattr(self._owner(request), self._path.leaf.name) != self._read(text):
                    raise ValueError("the value in the body differs from the value in the path")
            else:
                self._put(request, text)
        except ValueError as fault:
            raise invalid(Violation(str(self._path), str(fault))) from None

    def _is_set(self, request: Message) -> bool:
        """Returns whether the body set the field; a zero in a field without presence counts as unset."""
        holder = request
        for field in self._path.fields[:-1]:
            if not holder.HasField(field.name):
                return False
            holder = getattr(holder, field.name)
        leaf = self._path.leaf
        return holder.HasField(leaf.name) if leaf.has_presence else bool(getattr(holder, leaf.name))


class _NoBody:
    """A binding without a body."""

    decode: Decoder | None = None
    raw_field: FieldDescriptor | None = None

    def takes_raw(self, content_type: ContentType) -> bool:
        return False

    def read(
        self, made: type[Message], body: bytes, content_type: ContentType, warnings: list[str]
    ) -> tuple[Message, bool]:
        if body:
            raise invalid(Violation("", "unexpected body; this method reads its fields from the path and the query"))
        return made(), False

    def finish(self, request: Message, content_type: ContentType, body: bytes) -> None:
        return


class _Body:
    """A binding with a body, whose format depends on its content type.

    `covers` means that the body is the whole message, so the query can set no field; a raw body sets only its field.
    """

    def __init__(
        self,
        *,
        decode: Decoder | None,
        raw: Callable[[Message, bytes, ContentType], None] | None,
        form: FormBinder | None,
        form_owner: Callable[[Message], Message],
        covers: bool,
        raw_field: FieldDescriptor | None = None,
        content_type_field: str | None = None,
    ) -> None:
        self.decode, self._raw, self._form, self._form_owner = decode, raw, form, form_owner
        self._covers, self.raw_field, self._content_type_field = covers, raw_field, content_type_field

    def takes_raw(self, content_type: ContentType) -> bool:
        if self._raw is None or self.decode is None:
            return self._raw is not None
        return bool(content_type.media) and not content_type.is_json and content_type.media != MULTIPART

    def read(
        self, made: type[Message], body: bytes, content_type: ContentType, warnings: list[str]
    ) -> tuple[Message, bool]:
        """Returns a message with the body's fields, and whether that leaves no field for the query."""
        decode = self.decode
        if decode is not None and body and content_type.is_json:  # nearly every body
            if content_type is not JSON:
                self._utf8(content_type)
            return decode(body, warnings), self._covers
        request = made()
        if not body and not content_type.media:
            return request, self._covers and self._raw is None
        if decode is not None and content_type.is_json:
            return request, self._covers
        if self._form is not None and content_type.media == MULTIPART:
            if body:
                self._form.bind(self._form_owner(request), body, content_type, warnings)
            return request, self._covers
        if self._raw is not None:
            self._raw(request, body, content_type)
            return request, self._covers and self.raw_field is None
        if not body:
            return request, self._covers
        raise self._unsupported(content_type)

    def finish(self, request: Message, content_type: ContentType, body: bytes) -> None:
        """Sets the raw body's content type if the message has a field for it that is still empty."""
        name = self._content_type_field
        if name is None or not body or content_type.is_json or content_type.media == MULTIPART:
            return
        if not getattr(request, name):
            setattr(request, name, content_type.text)

    def _utf8(self, content_type: ContentType) -> None:
        charset = content_type.parameter("charset").lower()
        if charset not in ("", "utf-8", "utf8"):
            raise error(Code.INVALID_ARGUMENT, f"unsupported charset {charset!r}; expected utf-8 (RFC 8259)", http=415)

    def _unsupported(self, content_type: ContentType) -> Exception:
        supported = [name for name, has in (("application/json", self.decode), (MULTIPART, self._form)) if has]
        sent = f"unsupported content type {content_type.media!r}" if content_type.media else "missing content type"
        return error(
            Code.INVALID_ARGUMENT,
            f"{sent}; expected {' or '.join(supported)}",
            http=415,
            headers=(("accept", ", ".join(supported)),),
        )


def raw_field(message: Descriptor) -> FieldDescriptor | None:
    """Returns the field that a raw body sets if the body is "*": the only top-level bytes or HttpBody field."""
    found = [field for field in message.fields if not field.is_repeated and _is_raw(field)]
    return found[0] if len(found) == 1 else None


def _is_raw(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_BYTES or (
        field.message_type is not None and field.message_type.full_name == HTTP_BODY
    )


def _content_type_field(message: Descriptor) -> str | None:
    """Returns the name of the string field for a raw body's content type, or None."""
    described = message.fields_by_name.get("content_type")
    if described is None or described.is_repeated or described.type != FieldDescriptor.TYPE_STRING:
        return None
    return described.name


def _body_of(method: Method, binding: Binding, codec: Codec, settings: Settings) -> _NoBody | _Body:
    message, field = binding.method.input_type, binding.body
    policy = settings.unknown_fields
    if binding.whole_body:
        if message.full_name == HTTP_BODY:
            return _Body(decode=None, raw=_put_http_body, form=None, form_owner=_itself, covers=True)
        decode = codec.decoder(method.request)
        raw = raw_field(message)
        return _Body(
            decode=decode,
            raw=None if raw is None else _raw_reader(raw),
            form=FormBinder(message, codec, policy),
            form_owner=_itself,
            covers=True,
            raw_field=raw,
            content_type_field=None if raw is None else _content_type_field(message),
        )
    if field is None:
        return _NoBody()
    single = not field.is_repeated
    if single and field.message_type is not None and field.message_type.full_name == HTTP_BODY:
        return _Body(decode=None, raw=_raw_reader(field), form=None, form_owner=_itself, covers=False)
    decode = codec.field_decoder(method.request, field)
    below = _with_fields(field)
    form = None if below is None else FormBinder(below, codec, policy)
    name = field.name
    return _Body(
        decode=decode,
        raw=_raw_reader(field) if single and _is_raw(field) else None,
        form=form,
        form_owner=lambda request: getattr(request, name),
        covers=False,
    )


def _framed_body(method: Method, binding: Binding, codec: Codec) -> _NoBody | _Body:
    """Returns the body for a framed protocol: JSON of the message or the field, also for HttpBody."""
    if not binding.takes_body:
        return _NoBody()
    field = binding.body
    decode = codec.decoder(method.request) if field is None else codec.field_decoder(method.request, field)
    return _Body(
        decode=decode,
        raw=None,
        form=None,
        form_owner=_itself,
        covers=field is None,
    )


def _itself(request: Message) -> Message:
    return request


def _put_http_body(request: Any, body: bytes, content_type: ContentType) -> None:
    request.content_type, request.data = content_type.text, body


def _raw_reader(field: FieldDescriptor) -> Callable[[Message, bytes, ContentType], None]:
    name = field.name
    if field.message_type is not None:
        return lambda request, body, content_type: _put_http_body(getattr(request, name), body, content_type)
    return lambda request, body, _: setattr(request, name, body)


def _mask_field(message: Descriptor, binding: Binding) -> FieldDescriptor | None:
    if binding.verb != "PATCH" or binding.body is None:
        return None
    masks = [
        field
        for field in message.fields
        if field.message_type is not None and field.message_type.full_name == FIELD_MASK and not field.is_repeated
    ]
    return masks[0] if len(masks) == 1 else None


def _with_fields(field: FieldDescriptor) -> Descriptor | None:
    """Returns a field's message if a path can continue below it, else None."""
    below = field.message_type
    if below is None or field.is_repeated or below.full_name in SCALAR_MESSAGES | OPAQUE_MESSAGES:
        return None
    return below


def _paths(message: Descriptor, value: object, prefix: str) -> Iterator[str]:
    """Yields the proto field paths that a JSON body sets, as deep as paths can go."""
    if not isinstance(value, dict):
        return
    names = by_any_name(message)
    for key, inner in value.items():
        field = names.get(key)
        if field is None:
            continue
        path = prefix + field.name
        below = _with_fields(field)
        if below is None or not inner:
            yield path
        else:
            yield from _paths(below, inner, path + ".")
