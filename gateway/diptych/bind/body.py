"""Reads the body of a request in the format of its content type: JSON, a form, raw bytes, or none.

It knows neither path nor query.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ..codec import Codec, Decoder
from ..fields import HTTP_BODY, OPAQUE_MESSAGES, SCALAR_MESSAGES
from ..methods import Method
from ..rules import Binding
from ..settings import Settings
from ..status import Code, Violation, error, invalid
from .content import JSON, MULTIPART, OCTETS, URLENCODED, ContentType
from .multipart import FormBinder

# Clients send an empty object where a request has no fields.
_EMPTY = re.compile(rb"[ \t\r\n]*+(?:\{[ \t\r\n]*+\}[ \t\r\n]*+)?")


class NoBody:
    """A binding without a body."""

    decode: Decoder | None = None
    raw_field: FieldDescriptor | None = None

    def takes_raw(self, content_type: ContentType) -> bool:
        return False

    def takes_json(self, content_type: ContentType) -> bool:
        return False

    def read(
        self, made: type[Message], body: bytes, content_type: ContentType, warnings: list[str]
    ) -> tuple[Message, bool]:
        if not _EMPTY.fullmatch(body):
            raise invalid(Violation("", "unexpected body; this method reads its fields from the path and the query"))
        return made(), False

    def finish(self, request: Message, content_type: ContentType, body: bytes) -> None:
        return


class Body:
    """A binding with a body, whose format depends on its content type.

    `covers` means that the body is the whole message, so the query can set no field; a raw body sets only its field.
    `json_in_forms` reads a JSON object that is declared as a form, as `curl -d` does.
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
        json_in_forms: bool = False,
    ) -> None:
        self.decode, self._raw, self._form, self._form_owner = decode, raw, form, form_owner
        self._covers, self.raw_field, self._content_type_field = covers, raw_field, content_type_field
        self._json_in_forms = json_in_forms

    def takes_raw(self, content_type: ContentType) -> bool:
        if self._raw is None or self.decode is None:
            return self._raw is not None
        return content_type.is_raw(among_fields=self.raw_field is not None)

    def takes_json(self, content_type: ContentType) -> bool:
        return content_type.is_json or (self._json_in_forms and content_type.media == URLENCODED)

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
        if self.takes_raw(content_type) and self._raw is not None:
            self._raw(request, body, content_type)
            return request, self._covers and self.raw_field is None
        if not body:
            return request, self._covers and self._raw is None
        if decode is not None and self.takes_json(content_type) and _is_object(body):
            return decode(body, warnings), self._covers
        raise self._unsupported(content_type, body)

    def finish(self, request: Message, content_type: ContentType, body: bytes) -> None:
        """Sets the raw body's content type if the message has a field for it that is still empty."""
        name = self._content_type_field
        if name is None or not body or not self.takes_raw(content_type):
            return
        if not getattr(request, name):
            setattr(request, name, content_type.text)

    def _utf8(self, content_type: ContentType) -> None:
        charset = content_type.parameter("charset").lower()
        if charset not in ("", "utf-8", "utf8"):
            raise error(Code.INVALID_ARGUMENT, f"unsupported charset {charset!r}; expected utf-8 (RFC 8259)", http=415)

    def _unsupported(self, content_type: ContentType, body: bytes) -> Exception:
        supported = [
            name
            for name, has in (("application/json", self.decode), (MULTIPART, self._form), (OCTETS.media, self._raw))
            if has
        ]
        sent = f"unsupported content type {content_type.media!r}" if content_type.media else "missing content type"
        hint = "; send JSON with -H 'content-type: application/json'" if _is_object(body) else ""
        return error(
            Code.INVALID_ARGUMENT,
            f"{sent}; expected {' or '.join(supported)}{hint}",
            http=415,
            headers=(("accept", ", ".join(supported)),),
        )


def _is_object(body: bytes) -> bool:
    """Returns whether the body begins as a JSON object does."""
    return body[:64].lstrip(b" \t\r\n").startswith(b"{")


def raw_field(message: Descriptor) -> FieldDescriptor | None:
    """Returns the field that a raw body sets if the body is "*": the only top-level bytes or HttpBody field.

    An Any has none: its bytes are of the type that its JSON names.
    """
    if message.full_name in OPAQUE_MESSAGES:
        return None
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


def body_of(method: Method, binding: Binding, codec: Codec, settings: Settings) -> NoBody | Body:
    """Returns the reader of a binding's body."""
    message, field = binding.method.input_type, binding.body
    policy, deepest = settings.unknown_fields, settings.max_nesting_depth
    if binding.whole_body:
        if message.full_name == HTTP_BODY:
            return Body(decode=None, raw=_put_http_body, form=None, form_owner=_itself, covers=True)
        decode = codec.decoder(method.request)
        raw = raw_field(message)
        has_own_form = message.full_name in SCALAR_MESSAGES | OPAQUE_MESSAGES
        return Body(
            decode=decode,
            raw=None if raw is None else _raw_reader(raw),
            form=None if has_own_form else FormBinder(message, codec, policy=policy, deepest=deepest),
            form_owner=_itself,
            covers=True,
            raw_field=raw,
            content_type_field=None if raw is None else _content_type_field(message),
            json_in_forms=settings.json_in_forms,
        )
    if field is None:
        return NoBody()
    single = not field.is_repeated
    if single and field.message_type is not None and field.message_type.full_name == HTTP_BODY:
        return Body(decode=None, raw=_raw_reader(field), form=None, form_owner=_itself, covers=False)
    decode = codec.field_decoder(method.request, field)
    below = with_fields(field)
    form = None if below is None else FormBinder(below, codec, policy=policy, deepest=deepest)
    name = field.name
    return Body(
        decode=decode,
        raw=_raw_reader(field) if single and _is_raw(field) else None,
        form=form,
        form_owner=lambda request: getattr(request, name),
        covers=False,
        json_in_forms=settings.json_in_forms,
    )


def framed_body(method: Method, binding: Binding, codec: Codec) -> NoBody | Body:
    """Returns the body for a framed protocol: JSON of the message or the field, also for HttpBody."""
    if not binding.takes_body:
        return NoBody()
    field = binding.body
    decode = codec.decoder(method.request) if field is None else codec.field_decoder(method.request, field)
    return Body(
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


def with_fields(field: FieldDescriptor) -> Descriptor | None:
    """Returns a field's message if a path can continue below it, else None."""
    below = field.message_type
    if below is None or field.is_repeated or below.full_name in SCALAR_MESSAGES | OPAQUE_MESSAGES:
        return None
    return below
