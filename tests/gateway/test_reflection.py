"""Health and reflection, called by their standard clients, over every engine."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.conformance import tools
from tests.conftest import Serve, Served, every_engine

pytestmark = [every_engine, pytest.mark.asyncio(loop_scope="session")]

KITCHEN, HEALTH = "kitchen.v1.KitchenService", "grpc.health.v1.Health"
STABLE, ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"
FILE, ANNOTATIONS, HTTP = "kitchen/v1/kitchen_service.proto", "google/api/annotations.proto", 72295728
Status = health_pb2.HealthCheckResponse
Ask = reflection_pb2.ServerReflectionRequest


def extension(message: str, number: int) -> Any:
    return reflection_pb2.ExtensionRequest(containing_type=message, extension_number=number)


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


FOUND = {
    # What is asked for, and the file that must come first.
    "service": (Ask(file_containing_symbol=KITCHEN), FILE),
    "method": (Ask(file_containing_symbol=f"{KITCHEN}.GetDish"), FILE),
    "message": (Ask(file_containing_symbol="kitchen.v1.Dish"), FILE),
    "field": (Ask(file_containing_symbol="kitchen.v1.Dish.title"), FILE),
    "oneof": (Ask(file_containing_symbol="kitchen.v1.EchoRequest.choice"), FILE),
    "enum": (Ask(file_containing_symbol="kitchen.v1.Course"), FILE),
    "enum value": (Ask(file_containing_symbol="kitchen.v1.COURSE_UNSPECIFIED"), FILE),
    "extension": (Ask(file_containing_symbol="google.api.http"), ANNOTATIONS),
    "extension by number": (
        Ask(file_containing_extension=extension("google.protobuf.MethodOptions", HTTP)),
        ANNOTATIONS,
    ),
    "file": (Ask(file_by_filename=FILE), FILE),
    "reflection's own": (
        Ask(file_containing_symbol=f"{STABLE}.ServerReflectionInfo"),
        "grpc/reflection/v1/reflection.proto",
    ),
}
MISSING = {
    "symbol": Ask(file_containing_symbol="no.Such"),
    "empty symbol": Ask(file_containing_symbol=""),
    "package": Ask(file_containing_symbol="kitchen.v1"),
    "method": Ask(file_containing_symbol=f"{KITCHEN}.Gte"),
    "field": Ask(file_containing_symbol="kitchen.v1.Dish.nope"),
    "file": Ask(file_by_filename="nope.proto"),
    "extension": Ask(file_containing_extension=extension("google.protobuf.MethodOptions", 1)),
    "extension of no message": Ask(file_containing_extension=extension("no.Such", 1)),
    "extensions of no message": Ask(all_extension_numbers_of_type="no.Such"),
}


@pytest.mark.parametrize("name", [STABLE, ALPHA])
async def test_reflection_finds_every_kind_of_symbol_with_its_imports(shared: Served, name: str) -> None:
    answers = await asked(shared, name, *(question for question, _ in FOUND.values()))
    for (kind, (question, file)), answer in zip(FOUND.items(), answers, strict=True):
        sent = answer.file_descriptor_response.file_descriptor_proto
        files = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in sent]
        assert [one.name for one in files[:1]] == [file], kind
        names = {one.name for one in files}
        assert len(names) == len(files)
        assert {dependency for one in files for dependency in one.dependency} <= names
        assert answer.original_request == question


@pytest.mark.parametrize("name", [STABLE, ALPHA])
async def test_what_is_missing_is_not_found_and_the_stream_goes_on(shared: Served, name: str) -> None:
    answers = await asked(shared, name, *MISSING.values(), Ask(), Ask(list_services="", host="here"))
    for kind, answer in zip(MISSING, answers, strict=False):
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], kind
        assert "not found" in answer.error_response.error_message
    *_, empty, listed = answers
    assert empty.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert listed.list_services_response.service
    assert listed.valid_host == "here"


async def test_reflection_lists_the_extensions_of_a_type(shared: Served) -> None:
    [options, none] = await asked(
        shared,
        STABLE,
        Ask(all_extension_numbers_of_type="google.protobuf.MethodOptions"),
        Ask(all_extension_numbers_of_type="kitchen.v1.Dish"),
    )
    found = options.all_extension_numbers_response
    assert found.base_type_name == "google.protobuf.MethodOptions"
    assert HTTP in found.extension_number
    assert [*found.extension_number] == sorted(set(found.extension_number))
    assert none.all_extension_numbers_response.base_type_name == "kitchen.v1.Dish"
    assert not none.all_extension_numbers_response.extension_number


async def test_grpcurl_describes_and_calls_methods(shared: Served) -> None:
    """Runs grpcurl itself, which asks for methods by name."""
    if os.environ.get("TESTS_CLIENTS") != "required" and not tools.is_built(*tools.GRPCURL):
        pytest.skip("grpcurl is not built; TESTS_CLIENTS=required builds it with Go")
    grpcurl = str(await asyncio.to_thread(tools.program, *tools.GRPCURL))
    address = f"127.0.0.1:{shared.gateway.grpc_port}"

    async def run(*arguments: str) -> str:
        piped = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(grpcurl, "-plaintext", *arguments, stdout=piped, stderr=piped)
        out, wrong = await process.communicate()
        assert process.returncode == 0, wrong.decode()
        return out.decode()

    assert KITCHEN in (await run(address, "list")).splitlines()
    assert f"{KITCHEN}.GetDish" in (await run(address, "list", KITCHEN)).splitlines()
    described = await run(address, "describe", f"{KITCHEN}.GetDish")
    assert f"{KITCHEN}.GetDish is a method:" in described
    assert 'get: "/v1/dishes/{dish_id}"' in described
    for symbol in ("kitchen.v1.Dish", "kitchen.v1.Dish.title", "kitchen.v1.Course"):
        assert f"{symbol} is a" in await run(address, "describe", symbol)
    answer = await run("-d", '{"dish_id": "7"}', address, f"{KITCHEN}/GetDish")
    assert '"id": "7"' in answer


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
