"""Health and reflection, called by their standard clients, over every engine."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.conftest import Serve, Served, every_engine

pytestmark = [every_engine, pytest.mark.asyncio(loop_scope="session")]

KITCHEN, HEALTH = "kitchen.v1.KitchenService", "grpc.health.v1.Health"
STABLE, ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"
Status = health_pb2.HealthCheckResponse
Ask = reflection_pb2.ServerReflectionRequest


async def asked(served: Served, name: str, *questions: Ask) -> list[Any]:
    """Returns reflection's answer, by the service's name in v1 and v1alpha."""
    ask: Any = served.channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        request_serializer=Ask.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return [answer async for answer in ask(iter(questions))]


@pytest.mark.parametrize("name", [STABLE, ALPHA])
async def test_reflection_lists_what_is_served(shared: Served, name: str) -> None:
    [listed, unknown] = await asked(shared, name, Ask(list_services=""), Ask(file_containing_symbol="no.Such"))
    services = {service.name for service in listed.list_services_response.service}
    assert services == {KITCHEN, HEALTH, STABLE, ALPHA}
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_the_standard_client_finds_a_method_by_reflection(shared: Served) -> None:
    def look() -> tuple[list[str], str]:
        with grpc.insecure_channel(f"127.0.0.1:{shared.gateway.grpc_port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = descriptor_pool.DescriptorPool(database)
            found = pool.FindServiceByName(KITCHEN).methods_by_name["GetDish"]
            return list(database.get_services()), found.input_type.full_name

    services, request = await asyncio.to_thread(look)
    assert KITCHEN in services
    assert request == "kitchen.v1.GetDishRequest"


async def test_reflection_may_be_off(serve: Serve) -> None:
    async with serve(reflection=False) as served:
        for name in (STABLE, ALPHA):
            call: Any = served.channel.stream_stream(f"/{name}/ServerReflectionInfo")
            assert await call().code() is grpc.StatusCode.UNIMPLEMENTED
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == Status.SERVING


async def test_health_of_each_service_and_of_all(shared: Served) -> None:
    stub: Any = health_pb2_grpc.HealthStub(shared.channel)
    for service in ("", KITCHEN):
        assert (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status == Status.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Check(health_pb2.HealthCheckRequest(service="no.Such"))
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    listed = await stub.List(health_pb2.HealthListRequest())  # type: ignore[attr-defined]  # the stubs know no List
    assert {name: status.status for name, status in listed.statuses.items()} == {
        "": Status.SERVING,
        KITCHEN: Status.SERVING,
    }


async def test_a_watcher_gets_the_status_and_its_changes(serve: Serve, drained: asyncio.Event) -> None:
    async with serve(drain_seconds=1) as served, asyncio.timeout(20):
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        known = stub.Watch(health_pb2.HealthCheckRequest(service=KITCHEN))
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="no.Such"))
        assert (await known.read()).status == Status.SERVING
        assert (await unknown.read()).status == Status.SERVICE_UNKNOWN
        stopping = asyncio.create_task(served.gateway.stop(0))
        assert (await known.read()).status == Status.NOT_SERVING
        drained.set()
        await stopping


class Shut(grpc.aio.ServerInterceptor):
    """Refuses every call."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        async def refuse(request: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

        return grpc.unary_unary_rpc_method_handler(refuse)


async def test_interceptors_run_before_health_too(serve: Serve) -> None:
    async with serve(interceptors=[Shut()]) as served:
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Check(health_pb2.HealthCheckRequest())
        assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Watch(health_pb2.HealthCheckRequest()).read()
        assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED
