"""A service with any number of routes, built at run time, whose table is like a large API's.

Its methods use the kitchen's messages; a third of them have plain, a third nested, and a third custom-verb templates.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from bench.records import STORE
from bench.servicer import dish
from diptych import Gateway
from kitchen.v1 import kitchen_service_pb2 as pb

PACKAGE = "bench.v1"
_HTTP: Any = annotations_pb2.http  # the installed googleapis stubs type it as a plain field


def template(number: int) -> str:
    """Returns the template of one route."""
    return (
        f"/v1/things{number}/{{dish_id}}",
        f"/v1/kitchens/*/things{number}/{{dish_id}}",
        f"/v1/things{number}/{{dish_id}}:cook",
    )[number % 3]


def path(number: int) -> str:
    """Returns a path that only that route matches."""
    return template(number).replace("{dish_id}", "dish-0").replace("*", "north")


def register(gateway: Gateway, routes: int) -> None:
    """Adds a service of `routes` methods, each with one GET route, to the pool and to the gateway."""
    service = f"Wide{routes}Service"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"bench/v1/wide{routes}.proto", package=PACKAGE, syntax="proto3", dependency=[pb.DESCRIPTOR.name]
    )
    made = file.service.add(name=service)
    for number in range(routes):
        method = made.method.add(
            name=f"Get{number}", input_type=".kitchen.v1.GetDishRequest", output_type=".kitchen.v1.Dish"
        )
        rule: Any = method.options.Extensions[_HTTP]
        rule.get = template(number)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())

    async def get(request: pb.GetDishRequest, context: Any) -> pb.Dish:
        return dish(STORE[0])

    handler = grpc.unary_unary_rpc_method_handler(get, pb.GetDishRequest.FromString, pb.Dish.SerializeToString)
    handlers = {f"Get{number}": handler for number in range(routes)}
    gateway.add_registered_method_handlers(f"{PACKAGE}.{service}", handlers)
