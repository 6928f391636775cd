"""Request bodies and successful responses, by media type.

It knows the formats that `bind` reads and `framing` writes, and no parameters.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from .. import media
from ..fields import is_map, is_scalar
from ..media import NDJSON
from ..rules import Binding
from .kinds import (
    has_own_form,
    in_query,
    is_file,
    is_http_body,
    is_raw,
    message_of,
    raw_field,
    single_message,
    value_of,
)
from .scalars import Json, ref
from .schemas import NOTHING, Bound, Schemas

JSON = "application/json"
OCTETS, ANYTHING, FORM = "application/octet-stream", "*/*", "multipart/form-data"

# A request's raw body; "format" is OpenAPI 3.0's form, which many tools still need.
_RAW_IN: Json = {"type": "string", "format": "binary"}
# A response's raw body has no type, since it may be of any media type, even JSON.
_RAW_OUT: Json = {"format": "binary", "description": "The raw bytes, with the content type that the response names."}


def request_body(binding: Binding, schemas: Schemas, operation: str) -> Json | None:
    """Returns the request body of a binding, or None if it has none. `operation` prefixes the name of its schema."""
    if not binding.takes_body:
        return None
    field, message = binding.body, binding.method.input_type
    if is_http_body(message if field is None else single_message(field)):
        body = _described(
            schemas, field, "A body of any content type; its bytes and its content type are passed on unchanged."
        )
        return {**body, "required": True, "content": {**_raw(), ANYTHING: {"schema": dict(_RAW_IN)}}}
    media = {"schema": _value(binding, schemas, operation), "example": _example(binding, schemas)}
    if binding.method.client_streaming:
        return _streamed(binding, media)
    text = ""
    raw = raw_field(message) if field is None else field if is_raw(field) else None
    form = _form(binding, schemas)
    content: Json = {JSON: media} if form is None else {JSON: media, FORM: form}
    if raw is not None:
        if form is not None:  # /docs offers the first media type: for an upload, the one with a file chooser
            content = {FORM: form, JSON: media}
        # Not "*/*": a client that reads it as JSON too would send its JSON to the wrong schema.
        content[OCTETS] = {"schema": dict(_RAW_IN)}
        kinds = "nor a form" if field is not None else "nor a form nor text"
        text = f"A body of a media type that is neither JSON {kinds} sets `{schemas.name(raw)}`, byte for byte."
        elsewhere = {raw.name, *(found.names[0] for _, found in binding.variables)}
        others = [
            schemas.name(one) + ("" if is_scalar(value_of(one)) else ".…")
            for one in message.fields
            if one.name not in elsewhere and in_query(one)
        ]
        if field is None and others:
            text += f" Query parameters can then set the other fields: {', '.join(f'`{name}`' for name in others)}."
    return {**_described(schemas, field, text), "required": True, "content": content}


def _described(schemas: Schemas, field: FieldDescriptor | None, text: str) -> Json:
    about = schemas.about(field) if field is not None else ""
    described = "\n\n".join(filter(None, (about, text)))
    return {"description": described} if described else {}


def _raw() -> Json:
    # Not "*/*": it would also match JSON and forms, which are not bound as raw bytes.
    return {OCTETS: {"schema": dict(_RAW_IN)}}


def _value(binding: Binding, schemas: Schemas, operation: str) -> Json:
    """Returns the schema of a JSON body, without the path's fields; an update requires no fields."""
    field = binding.body
    if field is not None and (field.is_repeated or field.message_type is None):
        return schemas.field(field, "in")
    message = binding.method.input_type if field is None else message_of(field)
    bound, partial = _bound(binding), _is_update(binding)
    if has_own_form(message) or not (bound or (partial and schemas.requires(message))):
        return schemas.message(message, "in")
    name = f"{operation}-Body"
    schemas.components[name] = schemas.object(message, "in", bound=bound, partial=partial)
    return ref(name)


def _example(binding: Binding, schemas: Schemas) -> Any:
    field = binding.body
    if _is_update(binding):
        return {}  # an update changes every field that its body contains
    if field is not None:
        return schemas.examples.field(field, _bound(binding))
    return schemas.examples.message(binding.method.input_type, _bound(binding))


def _bound(binding: Binding) -> Bound:
    paths = [found.names for _, found in binding.variables]
    if binding.body is None:
        return frozenset(paths)
    return frozenset(path[1:] for path in paths if path[0] == binding.body.name) or NOTHING


def _is_update(binding: Binding) -> bool:
    """Returns whether the body is a partial resource (AIP-134)."""
    return binding.verb == "PATCH" and binding.body is not None


def _streamed(binding: Binding, body: Json) -> Json:
    name = binding.method.input_type.name
    content = media.contents(body["schema"], name, sent=True)
    content[JSON]["example"] = [body["example"]]
    content[NDJSON]["example"] = json.dumps(body["example"], ensure_ascii=False)
    if raw_field(binding.method.input_type) is not None:
        content |= _raw()
    return {"description": f"A stream of {name}.", "required": True, "content": content}


def _form(binding: Binding, schemas: Schemas) -> Json | None:
    """Returns the schema of a form if the body is a message with files; each part sets the field of its name."""
    field = binding.body
    message = binding.method.input_type if field is None else single_message(field)
    if message is None or has_own_form(message) or not any(is_file(one) for one in message.fields):
        return None
    schema = schemas.object(message, "in", bound=_bound(binding), partial=_is_update(binding))
    properties: Json = schema.get("properties", {})
    encoding: Json = {}
    for one in message.fields:
        name = schemas.name(one)
        if name not in properties:
            continue
        if is_file(one):
            about = {key: text for key, text in properties[name].items() if key in ("description", "deprecated")}
            part = dict(_RAW_IN)
            properties[name] = {**({"type": "array", "items": part} if one.is_repeated else part), **about}
        elif is_map(one) or not is_scalar(one):
            encoding[name] = {"contentType": JSON}
    return {"schema": schema, **({"encoding": encoding} if encoding else {})}


def response_content(binding: Binding, schemas: Schemas) -> Json:
    """Returns the content of a successful response, by media type."""
    field, message = binding.response_body, binding.method.output_type
    if is_http_body(message if field is None else single_message(field)):
        return {ANYTHING: {"schema": dict(_RAW_OUT)}}
    value = schemas.message(message, "out") if field is None else schemas.field(field, "out")
    if not binding.method.server_streaming:
        return {JSON: {"schema": value}}
    return media.contents(value, message.name, sent=False)
