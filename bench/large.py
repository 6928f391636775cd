"""Descriptors of a contract of the size of Google's public APIs: resources with their standard methods, in packages.

It knows no gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf import descriptor_pb2

_HTTP: Any = annotations_pb2.http  # the installed googleapis stubs type extensions as plain fields
_BEHAVIOR: Any = field_behavior_pb2.field_behavior
_PER_PACKAGE = 20  # resources
_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = (_F.TYPE_STRING, _F.TYPE_INT32, _F.TYPE_INT64, _F.TYPE_BOOL, _F.TYPE_DOUBLE, _F.TYPE_BYTES)
_IMPORTS = (
    *("google/api/annotations.proto", "google/api/field_behavior.proto", "google/protobuf/empty.proto"),
    *("google/protobuf/field_mask.proto", "google/protobuf/timestamp.proto"),
)


def files(bindings: int) -> list[descriptor_pb2.FileDescriptorProto]:
    """Returns files with services of `bindings` methods in total, a multiple of 5, each with one binding."""
    resources = bindings // 5
    return [
        _file(number, min(_PER_PACKAGE, resources - first))
        for number, first in enumerate(range(0, resources, _PER_PACKAGE))
    ]


def _file(number: int, resources: int) -> descriptor_pb2.FileDescriptorProto:
    package = f"large.p{number}.v1"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"large/p{number}/v1/service.proto", package=package, syntax="proto3", dependency=_IMPORTS
    )
    service = file.service.add(name="ResourceService")
    state = file.enum_type.add(name="State")
    for value, name in enumerate(("STATE_UNSPECIFIED", "ACTIVE", "DELETED")):
        state.value.add(name=name, number=value)
    for index in range(resources):
        _resource(file, service, f".{package}", f"Thing{index}")
    return file


def _resource(
    file: descriptor_pb2.FileDescriptorProto,
    service: descriptor_pb2.ServiceDescriptorProto,
    package: str,
    name: str,
) -> None:
    parts = [file.message_type.add(name=f"{name}Part{part}") for part in range(3)]
    for part in parts:
        for at in range(6):
            _add(part, f"value_{at}", _SCALARS[at % len(_SCALARS)])
    thing = file.message_type.add(name=name)
    _add(thing, "name", _F.TYPE_STRING, behavior=field_behavior_pb2.IDENTIFIER)
    _add(thing, "create_time", _F.TYPE_MESSAGE, ".google.protobuf.Timestamp", behavior=field_behavior_pb2.OUTPUT_ONLY)
    _add(thing, "state", _F.TYPE_ENUM, f"{package}.State", behavior=field_behavior_pb2.OUTPUT_ONLY)
    for at in range(18):
        _add(thing, f"property_{at}", _SCALARS[at % len(_SCALARS)], repeated=at % 5 == 0)
    for at, part in enumerate(parts):
        _add(thing, f"part_{at}", _F.TYPE_MESSAGE, f"{package}.{part.name}", repeated=at == 0)
    plural, one = f"{name.lower()}s", f"{package}.{name}"
    where = file.package.split(".")[1]
    base, single = f"/v1/{where}/{{parent=projects/*}}/{plural}", f"/v1/{where}/{{name=projects/*/{plural}/*}}"
    required = field_behavior_pb2.REQUIRED

    def method(
        verb: str, made: Sequence[tuple[str, _F.Type.ValueType, str]], answer: str, http: str, path: str, body: str = ""
    ) -> None:
        request = file.message_type.add(name=f"{verb}{name}Request")
        for field, kind, below in made:
            _add(request, field, kind, below, behavior=required)
        rpc = service.method.add(name=f"{verb}{name}", input_type=f"{package}.{request.name}", output_type=answer)
        rule = rpc.options.Extensions[_HTTP]
        setattr(rule, http, path)
        rule.body = body

    listed = file.message_type.add(name=f"List{name}Response")
    _add(listed, plural, _F.TYPE_MESSAGE, one, repeated=True)
    _add(listed, "next_page_token", _F.TYPE_STRING)
    text, message = _F.TYPE_STRING, _F.TYPE_MESSAGE
    method("Get", [("name", text, "")], one, "get", single)
    pages = [("parent", text, ""), ("page_size", _F.TYPE_INT32, ""), ("page_token", text, ""), ("filter", text, "")]
    method("List", pages, f"{package}.{listed.name}", "get", base)
    created = [("parent", text, ""), ("thing_id", text, ""), ("thing", message, one)]
    method("Create", created, one, "post", base, "thing")
    changed = [("thing", message, one), ("update_mask", message, ".google.protobuf.FieldMask")]
    method("Update", changed, one, "patch", single.replace("{name=", "{thing.name="), "thing")
    method("Delete", [("name", text, ""), ("etag", text, "")], ".google.protobuf.Empty", "delete", single)


def _add(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    kind: _F.Type.ValueType,
    type_name: str = "",
    *,
    repeated: bool = False,
    behavior: int | None = None,
) -> None:
    label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
    field = message.field.add(
        name=name,
        number=len(message.field) + 1,
        type=kind,
        label=label,
        type_name=type_name or None,
    )
    if behavior is not None:
        field.options.Extensions[_BEHAVIOR].append(behavior)
