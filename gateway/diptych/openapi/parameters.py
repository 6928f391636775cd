"""The parameters of an operation, in the path and in the query.

It knows no body; the binding tells which fields a body sets.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ..fields import is_map, is_repeated, is_scalar
from ..rules import Binding
from .kinds import in_query, is_deprecated, is_output_only, is_required, message_of, value_of
from .paths import Part, Path
from .scalars import Json
from .schemas import Schemas


def of_path(path: Path, schemas: Schemas) -> list[Json]:
    """Returns the path's parameters; none may be empty, since an empty segment matches no template."""
    return [_part(part, schemas) for part in path.parts]


def _part(part: Part, schemas: Schemas) -> Json:
    schema: Json = {"type": "string"}
    about = ""
    if part.field is not None:
        about = schemas.about(part.field.leaf)
        if part.whole and not part.rest:
            schema = schemas.one(part.field.leaf, "in")
        elif not part.whole:
            about = f"A part of `{part.field}`, which has the form `{part.pattern}`. {about}".strip()
    if part.rest:
        about = f"{about} It may contain several segments, separated by unescaped slashes.".strip()
    if schema.get("type", "string") == "string":
        schema["minLength"] = 1
    parameter: Json = {"name": part.name, "in": "path", "required": True, "schema": schema}
    if about:
        parameter["description"] = about
    if part.field is not None:
        parameter["x-diptych-field"] = str(part.field)
        if is_deprecated(part.field.leaf):
            parameter["deprecated"] = True
    return parameter


def of_query(binding: Binding, schemas: Schemas) -> list[Json]:
    """Returns a parameter for each leaf field that neither the path nor the body binds; none if the body is "*"."""
    if binding.whole_body:
        return []
    bound = {found.names for _, found in binding.variables}
    if binding.body is not None:
        bound.add((binding.body.name,))
    return [
        _leaf(fields, schemas)
        for fields in leaves(binding.method.input_type, bound)
        if not any(map(is_output_only, fields))
    ]


def leaves(message: Descriptor, bound: set[tuple[str, ...]]) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Yields what a query can set, as fields from the top down, without `bound`; a recursive message is left out."""
    yield from _walk(message, (), (message.full_name,), bound)


def _walk(
    message: Descriptor, above: tuple[FieldDescriptor, ...], within: tuple[str, ...], bound: set[tuple[str, ...]]
) -> Iterator[tuple[FieldDescriptor, ...]]:
    for field in message.fields:
        here = (*above, field)
        if tuple(one.name for one in here) in bound:
            continue
        if not in_query(field):
            continue
        if is_scalar(value_of(field)):
            yield here
        elif (message_below := message_of(field)).full_name not in within:
            yield from _walk(message_below, here, (*within, message_below.full_name), bound)


def _leaf(fields: tuple[FieldDescriptor, ...], schemas: Schemas) -> Json:
    leaf = fields[-1]
    schema = schemas.field(leaf, "in")
    parameter: Json = {"name": ".".join(schemas.name(field) for field in fields), "in": "query", "schema": schema}
    about = [schemas.about(leaf)]
    for depth, field in enumerate(fields):
        if field.containing_oneof and len(field.containing_oneof.fields) > 1:
            above = "".join(f"{schemas.name(one)}." for one in fields[:depth])
            others = (f"`{above}{schemas.name(one)}`" for one in field.containing_oneof.fields)
            about.append(f"At most one of {', '.join(others)} may be set.")
    described = " ".join(filter(None, about))
    if described:
        parameter["description"] = described
    if all(map(is_required, fields)):
        parameter["required"] = True
    if is_map(leaf):  # labels[key]=value
        parameter |= {"style": "deepObject", "explode": True}
        schema.setdefault("propertyNames", {"minLength": 1})
    elif is_repeated(leaf):
        parameter |= {"style": "form", "explode": True}
    if any(map(is_deprecated, fields)):
        parameter["deprecated"] = True
    return parameter
