"""Converts messages and enums to component schemas, for requests and for responses.

A message has one component for both, unless they differ; then requests use another one with the suffix `-Input`. It
knows no method and no path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Literal

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from ..fields import SCALAR_MESSAGES, is_map, written_name
from ..settings import Settings
from . import scalars
from .comments import Comments
from .examples import Examples
from .kinds import has_own_form, is_deprecated, is_input_only, is_output_only, is_required, message_of, value_of
from .scalars import Json, ref

Way = Literal["in", "out"]
Bound = frozenset[tuple[str, ...]]
"""Field paths, in proto names, that a body omits because the URL's path binds them."""

NOTHING: Bound = frozenset()
_NULL = "google.protobuf.NullValue"


class Schemas:
    """Makes schemas, and collects the components they refer to in `components`.

    `requests` and `responses` are their top-level messages; those below both may need two components.
    """

    def __init__(
        self, settings: Settings, comments: Comments, *, requests: Iterable[Descriptor], responses: Iterable[Descriptor]
    ) -> None:
        self._settings, self._comments = settings, comments
        self._closed = settings.unknown_fields == "strict"
        self._in_requests, in_responses = _below(requests), _below(responses)
        both = {name: message for name, message in self._in_requests.items() if name in in_responses}
        self._split = self._different(both)
        self._objects: dict[tuple[str, Way, Bound, bool], Json] = {}
        self.components: dict[str, Json] = {}
        self.examples = Examples(settings)

    def name(self, field: FieldDescriptor) -> str:
        """Returns the field's name in JSON and in a query."""
        return written_name(field, preserve=self._settings.preserve_names)

    def about(self, field: FieldDescriptor) -> str:
        """Returns the field's comment."""
        return self._comments.of(field)

    def requires(self, message: Descriptor) -> bool:
        """Returns whether the message has required fields."""
        return any(map(is_required, message.fields))

    def message(self, message: Descriptor, way: Way) -> Json:
        """Returns the schema of a message, by reference."""
        name = message.full_name
        if name in SCALAR_MESSAGES and "value" in message.fields_by_name:  # a wrapper's JSON form is its value
            return self.one(message.fields_by_name["value"], way)
        if has_own_form(message):
            return self._shared(name)
        name = _component(name)
        if way == "in" and message.full_name in self._split:
            name += "-Input"
        return self._once(name, lambda: self.object(message, way))

    def field(self, field: FieldDescriptor, way: Way) -> Json:
        """Returns the schema of a whole field: a list, a map, or one value."""
        if is_map(field):
            schema: Json = {"type": "object", "additionalProperties": self.one(value_of(field), way)}
            keys = scalars.key(message_of(field).fields_by_name["key"])
            if keys:
                schema["propertyNames"] = keys
            return schema
        return {"type": "array", "items": self.one(field, way)} if field.is_repeated else self.one(field, way)

    def one(self, field: FieldDescriptor, way: Way) -> Json:
        """Returns the schema of one value of a field."""
        if field.message_type is not None:
            return self.message(field.message_type, way)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        shared = scalars.shared_name(field)
        return self._shared(shared) if shared else scalars.plain(field)

    def object(self, message: Descriptor, way: Way, *, bound: Bound = NOTHING, partial: bool = False) -> Json:
        """Returns the inline schema of a message.

        It omits the `bound` fields; `partial` is for an update, which has no required fields. What it returns may be
        changed, but not the schemas of the properties, which others share.
        """
        key = (message.full_name, way, bound, partial)
        schema = self._objects.get(key) or self._object(message, way, bound, partial)
        self._objects[key] = schema
        return {**schema, "properties": dict(schema["properties"])} if "properties" in schema else dict(schema)

    def _object(self, message: Descriptor, way: Way, bound: Bound, partial: bool) -> Json:
        schema: Json = {"type": "object"}
        comments = self._comments.within(message.file)
        text = [comments.get(message.full_name, "")]
        fields = [field for field in message.fields if (field.name,) not in bound]
        if fields:
            schema["properties"] = {self.name(field): self._property(field, way, bound, comments) for field in fields}
        required = [] if partial else [self.name(field) for field in fields if self._always(field, way)]
        if required:
            schema["required"] = required
        if self._closed and message.full_name in self._in_requests:
            schema["additionalProperties"] = False
        refused: list[Json] = []
        for oneof in message.oneofs:
            names = [self.name(field) for field in oneof.fields if field in fields]
            if len(names) > 1:
                refused += ({"required": list(pair)} for pair in combinations(names, 2))
                text.append(f"At most one of {', '.join(f'`{name}`' for name in names)} may be set.")
        if refused:
            schema["not"] = {"anyOf": refused} if len(refused) > 1 else refused[0]
        if message.GetOptions().deprecated:
            schema["deprecated"] = True
        described = "\n\n".join(filter(None, text))
        return {"description": described, **schema} if described else schema

    def _property(self, field: FieldDescriptor, way: Way, bound: Bound, comments: Mapping[str, str]) -> Json:
        below = frozenset(path[1:] for path in bound if path[0] == field.name) if bound else NOTHING
        schema = self.object(message_of(field), way, bound=below) if below else self.field(field, way)
        if comments and (about := comments.get(field.full_name)):
            schema["description"] = about
        if not field.has_options:
            return schema
        if is_deprecated(field):
            schema["deprecated"] = True
        if is_output_only(field):
            schema["readOnly"] = True
        if way == "in" and is_input_only(field):
            schema["writeOnly"] = True  # not in responses: they contain its zero value
        return schema

    def _always(self, field: FieldDescriptor, way: Way) -> bool:
        if way == "in":
            return is_required(field)
        return bool(field.is_required) or (self._settings.emit_defaults and not field.has_presence)

    def _different(self, messages: dict[str, Descriptor]) -> set[str]:
        """Returns the messages whose request and response schemas differ, in their own fields or in any below."""
        found = {
            name
            for name, message in messages.items()
            if any(
                self._always(field, "in") != self._always(field, "out") or is_input_only(field)
                for field in message.fields
            )
        }
        grown = True
        while grown:
            more = {
                name for name, message in messages.items() if name not in found and found & _children(message).keys()
            }
            grown = bool(more)
            found |= more
        return found

    def _enum(self, enum: EnumDescriptor) -> Json:
        if enum.full_name == _NULL:
            return {"type": "null"}
        return self._once(_component(enum.full_name), lambda: self._values(enum))

    def _values(self, enum: EnumDescriptor) -> Json:
        names = [value.name for value in enum.values]
        about = [(name, self._comments.named(enum.file, f"{enum.full_name}.{name}")) for name in names]
        lines = "\n".join(f"- `{name}`: {' '.join(text.split())}" for name, text in about if text)
        described = "\n\n".join(filter(None, (self._comments.of(enum), lines)))
        if self._settings.enums_as_ints:
            named = {value.number: value.name for value in reversed(enum.values)}  # of aliases, the first is used
            numbers = sorted(named)
            schema: Json = {"type": "integer", "format": "int32", "enum": numbers}
            schema["x-enum-varnames"] = [named[number] for number in numbers]
        else:
            schema = {"type": "string", "enum": names}
        if enum.GetOptions().deprecated:
            schema["deprecated"] = True
        return {"description": described, **schema} if described else schema

    def _shared(self, name: str) -> Json:
        return self._once(name, lambda: dict(scalars.SHARED[name]))

    def _once(self, name: str, make: Callable[[], Json]) -> Json:
        if name not in self.components:
            self.components[name] = {}  # a placeholder that ends recursion
            self.components[name] = make()
        return ref(name)


def _component(name: str) -> str:
    # Full names are unique; only a message without a package can have the name of a shared component.
    return f"{name}_" if name in scalars.SHARED or name == "Error" else name


def _children(message: Descriptor) -> dict[str, Descriptor]:
    """Returns the messages of a message's fields; none if the message has a special JSON form."""
    if has_own_form(message):
        return {}
    held = [value_of(field).message_type for field in message.fields]
    return {below.full_name: below for below in held if below is not None}


def _below(messages: Iterable[Descriptor]) -> dict[str, Descriptor]:
    found: dict[str, Descriptor] = {}
    todo = list(messages)
    while todo:
        message = todo.pop()
        if message.full_name not in found:
            found[message.full_name] = message
            todo.extend(_children(message).values())
    return found
