"""Calls a method knowing nothing but its name and the server's address, as grpcurl does."""

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

with grpc.insecure_channel("127.0.0.1:50051") as channel:
    database = ProtoReflectionDescriptorDatabase(channel)
    print(*sorted(database.get_services()), sep="\n")
    service = DescriptorPool(database).FindServiceByName("greeter.v1.GreeterService")
    method = service.methods_by_name["Greet"]
    request = json_format.ParseDict({"name": "Ada"}, GetMessageClass(method.input_type)())
    call = channel.unary_unary(
        "/greeter.v1.GreeterService/Greet",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    print(json_format.MessageToDict(call(request)))
