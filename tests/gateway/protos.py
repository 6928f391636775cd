"""Methods created at run time, in a separate pool: protos with which a gateway must not start."""

from __future__ import annotations

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

from kitchen.v1 import kitchen_service_pb2

FILE = "pantry/v1/pantry_service.proto"


def method(rule: HttpRule | None, *, request: str = "kitchen.v1.EchoRequest", name: str = "Get") -> MethodDescriptor:
    """Returns a method `pantry.v1.PantryService.Get` with this annotation; it returns an EchoRequest."""
    file = descriptor_pb2.FileDescriptorProto(
        name=FILE, package="pantry.v1", syntax="proto3", dependency=[kitchen_service_pb2.DESCRIPTOR.name]
    )
    made = file.service.add(name="PantryService").method.add(
        name=name, input_type=f".{request}", output_type=".kitchen.v1.EchoRequest"
    )
    if rule is not None:
        made.options.Extensions[annotations_pb2.http].CopyFrom(rule)  # type: ignore[index]
    pool = descriptor_pool.DescriptorPool()
    _add(pool, kitchen_service_pb2.DESCRIPTOR, set())
    pool.Add(file)
    return pool.FindServiceByName("pantry.v1.PantryService").methods_by_name[name]


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, seen)
    pool.AddSerializedFile(file.serialized_pb)
