"""Builds a request message from a path, a query and a body; each field has a single source.

`Binder` is the interface, built at start-up for one binding. It converts values from the wire to a message, or raises
INVALID_ARGUMENT that names each invalid field; it knows neither routes nor calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ..codec import DEFAULT, Codec, Parameters, check_required, may_lack_fields, parse_json, text_reader
from ..fields import (
    FIELD_MASK,
    FieldPath,
    by_any_name,
)
from ..methods import Method
from ..rules import Binding
from ..settings import Settings
from ..status import Violation, invalid
from .body import NoBody, body_of, framed_body, raw_field, with_fields
from .content import JSON, OCTETS, ContentType
from .query import QueryBinder
from .setters import Setter, may_conflict, owner_of, setter

__all__ = ["JSON", "OCTETS", "Binder", "Bound", "ContentType", "binder_of", "raw_field"]

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
        self._body = framed_body(method, binding, codec) if framed else body_of(method, binding, codec, settings)
        bound = [(path, "path") for _, path in binding.variables]
        if binding.body is not None:
            bound.append((FieldPath((binding.body,)), "body"))
        elif (raw := self._body.raw_field) is not None:
            bound.append((FieldPath((raw,)), "body"))
        self._query = QueryBinder(
            descriptor,
            bound,
            policy=settings.unknown_fields,
            most=settings.max_elements,
            deepest=settings.max_nesting_depth,
        )
        self._mask = _mask_field(descriptor, binding)
        self._body_field, self._whole = binding.body, binding.whole_body
        self.takes_body = not isinstance(self._body, NoBody)
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
        if self._mask is not None and (not body or self._body.takes_json(content_type)):
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

    def takes_json(self, content_type: ContentType) -> bool:
        """Returns whether a body of this type is read as JSON."""
        return self._body.takes_json(content_type)

    def _fill_mask(self, request: Message, body: bytes) -> None:
        mask, field = self._mask, self._body_field
        if mask is None or field is None or field.message_type is None or getattr(request, mask.name).paths:
            return
        paths = [*_paths(field.message_type, parse_json(body), "")] if body else []
        if paths:
            getattr(request, mask.name).paths.extend(paths)
        else:
            request.ClearField(mask.name)  # a mask that is set and empty names no field (AIP-134)


class _CompleteBinder(Binder):
    """A binder that checks at the end that the path, the query and the body have set all required fields of proto2."""

    def bind(
        self, values: tuple[str, ...], query: bytes, body: bytes, content_type: ContentType, warnings: list[str]
    ) -> Bound:
        bound = super().bind(values, query, body, content_type, warnings)
        check_required(bound.request)
        return bound

    def elements(
        self, values: tuple[str, ...], query: bytes, content_type: ContentType, warnings: list[str]
    ) -> Callable[[bytes], Message]:
        return lambda body: self.bind(values, query, body, content_type, warnings).request

    def from_path(self, values: tuple[str, ...]) -> Message:
        request = super().from_path(values)
        check_required(request)
        return request

    def complete(self, values: tuple[str, ...], query: bytes, message: Message, warnings: list[str]) -> Message:
        request = super().complete(values, query, message, warnings)
        check_required(request)
        return request


def binder_of(method: Method, binding: Binding, codec: Codec, settings: Settings, *, framed: bool = False) -> Binder:
    """Returns the binder of a binding; where the request may lack required fields, it refuses those that do."""
    made = _CompleteBinder if may_lack_fields(binding.method.input_type) else Binder
    return made(method, binding, codec, settings, framed=framed)


class _Variable:
    """One path variable; if the body sets the field too, the values must be equal."""

    __slots__ = ("_in_body", "_owner", "_path", "_put", "_read", "put")

    def __init__(self, path: FieldPath, binding: Binding) -> None:
        self._path, self._read, self._owner = path, text_reader(path.leaf), owner_of(path)
        self._put: Setter = setter(path, self._read)
        self._in_body = binding.whole_body or path.fields[0] == binding.body
        # Any text is a string, so nothing can be wrong, except that the query has set another field of a oneof.
        text = path.leaf.type == FieldDescriptor.TYPE_STRING and not path.leaf.is_repeated
        direct = text and not self._in_body and not may_conflict(path)
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


def _mask_field(message: Descriptor, binding: Binding) -> FieldDescriptor | None:
    if binding.verb != "PATCH" or binding.body is None:
        return None
    masks = [
        field
        for field in message.fields
        if field.message_type is not None and field.message_type.full_name == FIELD_MASK and not field.is_repeated
    ]
    return masks[0] if len(masks) == 1 else None


def _paths(message: Descriptor, value: object, prefix: str) -> Iterator[str]:
    """Yields the proto field paths that a JSON body sets, as deep as paths can go."""
    if not isinstance(value, dict):
        return
    names = by_any_name(message)
    for key, inner in value.items():
        field = names.get(key)
        if field is None or _is_passed_over(field, inner):
            continue
        path = prefix + field.name
        below = with_fields(field)
        if below is None or not inner:
            yield path
        else:
            yield from _paths(below, inner, path + ".")


def _is_passed_over(field: FieldDescriptor, value: object) -> bool:
    """Whether all that a valid body has for a field are unknown names of an enum, which the policy "ignore" drops.

    A mask with the field would clear it.
    """
    if field.enum_type is None:
        return False
    known, values = field.enum_type.values_by_name, value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(one, str) and one not in known for one in values)
