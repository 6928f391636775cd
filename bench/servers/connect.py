"""connectrpc, the Connect server for Python, on uvicorn: unary methods in both encodings.

Its messages are protobuf-py's, as in the code that its own generator writes; here they are built from descriptors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint
from protobuf.wkt import FileDescriptorSet

from bench.contract import measured
from bench.records import BY_ID, STORE, Record
from bench.rpc_load import SERVICE
from bench.servers.listen import serve

_REGISTRY = FileDescriptorSet.from_binary(measured().SerializeToString()).to_registry()


def made(name: str) -> Any:
    """Returns the class of a message by its full name."""
    found = _REGISTRY.message(name)
    assert found is not None, name
    return found.type


Dish, ListDishesResponse = made("kitchen.v1.Dish"), made("kitchen.v1.ListDishesResponse")
Timestamp = made("google.protobuf.Timestamp")  # the registry's own, and not the one of protobuf.wkt


def dish(record: Record) -> Any:
    """Returns a record as a message."""
    return Dish(
        id=record.id,
        title=record.title,
        price_cents=record.price_cents,
        course=record.course,
        tags=list(record.tags),
        create_time=Timestamp(seconds=int(record.created.timestamp())),
        rating=record.rating,
    )


class Kitchen:
    """Answers from the records."""

    async def GetDish(self, request: Any, context: Any) -> Any:
        return dish(BY_ID[request.dish_id])

    async def ListDishes(self, request: Any, context: Any) -> Any:
        return ListDishesResponse(dishes=[dish(record) for record in STORE])

    async def CreateDish(self, request: Any, context: Any) -> Any:
        request.dish.id = "new"
        return request.dish


class Application(ConnectASGIApplication[Kitchen]):
    """The application, as connectrpc's generator writes one."""

    def __init__(self, kitchen: Kitchen) -> None:
        methods = {"GetDish": "Dish", "ListDishes": "ListDishesResponse", "CreateDish": "Dish"}

        def endpoints(service: Kitchen) -> Mapping[str, Any]:
            return {
                f"{SERVICE}/{name}": Endpoint.unary(_info(name, answer), getattr(service, name))
                for name, answer in methods.items()
            }

        super().__init__(service=kitchen, endpoints=endpoints)

    @property
    def path(self) -> str:
        """The path below which its methods are served."""
        return SERVICE


def _info(name: str, answer: str) -> MethodInfo[Any, Any]:
    return MethodInfo(
        name=name,
        service_name=SERVICE[1:],
        input=made(f"kitchen.v1.{name}Request"),
        output=made(f"kitchen.v1.{answer}"),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.UNARY,
    )


if __name__ == "__main__":
    serve(Application(Kitchen()))
