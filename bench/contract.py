"""The measured part of the kitchen's contract as descriptors, which tools of other languages read instead of a .proto.

It is derived from the generated code of the servicer, so that no second contract can differ from the first.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from bench.servicer import Kitchen
from kitchen.v1 import kitchen_service_pb2 as pb


def measured(*, without: frozenset[str] = frozenset()) -> descriptor_pb2.FileDescriptorSet:
    """Returns the contract and everything it imports, with only the methods that the servicer has.

    Envoy and grpc-gateway refuse some of the others: `response_body`, and a path parameter on a client stream.
    `without` leaves out further methods, by name.
    """
    every: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def gather(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            gather(dependency)
        if file.name not in every:
            every[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)

    gather(pb.DESCRIPTOR)
    service = every[pb.DESCRIPTOR.name].service[0]
    kept = [method for method in service.method if method.name in vars(Kitchen) and method.name not in without]
    del service.method[:]
    service.method.extend(kept)
    return descriptor_pb2.FileDescriptorSet(file=every.values())
