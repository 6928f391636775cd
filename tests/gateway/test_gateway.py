"""`Gateway`: registration, lifespan, the app without ports, users' routes, failures to start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio
import grpc
import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.routing import Mount

from diptych import Gateway, Settings
from diptych.methods import RegistrationError
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import ENGINES, Serve, every_engine
from tests.kitchen import Kitchen
from tests.waiting import PATIENCE

ANY: dict[str, Any] = {"http_port": 0, "grpc_port": 0}


def made(**more: Any) -> Gateway:
    """A gateway over the kitchen that is not started."""
    settings = Settings(**{**ANY, **more.pop("settings", {})})
    gateway = Gateway(settings, **more)
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    return gateway


def client(app: Any, **more: Any) -> httpx2.AsyncClient:
    """Returns a client of an ASGI app, without a port."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, **more), base_url="http://app")


# Registration.


class Half:
    """Performs one of the two registrations that grpcio's generated code makes."""

    def __init__(self, gateway: Gateway, *, generic: bool) -> None:
        self._gateway, self._generic = gateway, generic

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        if not self._generic:
            self._gateway.add_registered_method_handlers(service, handlers)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        if self._generic:
            self._gateway.add_generic_rpc_handlers(handlers)


@every_engine
@pytest.mark.parametrize("which", ["registered", "generic", "both"])
async def test_either_registration_suffices(which: str, engine: str) -> None:
    gateway = Gateway(Settings(**ANY, **ENGINES[engine]))
    server: Any = gateway if which == "both" else Half(gateway, generic=which == "generic")
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), server)
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub = pb_grpc.KitchenServiceStub(channel)
        assert (await stub.GetDish(pb.GetDishRequest(dish_id="1"))).id == "1"
        url = f"http://127.0.0.1:{gateway.http_port}"
        async with httpx2.AsyncClient(base_url=url, verify=False, timeout=PATIENCE) as http:
            assert (await http.get("/v1/dishes/1")).json()["id"] == "1"
        await gateway.stop(0)


@every_engine
async def test_a_generic_handler_without_a_service_is_grpc_only(engine: str) -> None:
    class Everything(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            if handler_call_details.method != "/any.Service/Method":
                return None
            return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

    gateway = made(settings=ENGINES[engine])
    gateway.add_generic_rpc_handlers([Everything()])
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        call: Any = channel.unary_unary("/any.Service/Method")
        assert await call(b"x") == b"x"
        await gateway.stop(0)


async def test_a_late_or_double_registration_is_refused() -> None:
    gateway = made()
    with pytest.raises(RegistrationError, match="already registered with another servicer"):
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    with pytest.raises(RegistrationError, match=r"nobody\.Service is not in the default descriptor pool"):
        gateway.add_registered_method_handlers("nobody.Service", {})
    async with client(gateway.app) as http:
        await http.get("/healthz")
    with pytest.raises(RuntimeError, match="after the gateway has started"):
        gateway.add_registered_method_handlers("kitchen.v1.KitchenService", {})
    await gateway.stop(0)


@every_engine
async def test_the_default_servicer_is_unimplemented_on_both_faces(serve: Serve) -> None:
    servicer: Any = pb_grpc.KitchenServiceServicer
    async with serve(servicer()) as served:
        answer = await served.http.get("/v1/dishes/1")
        assert (answer.status_code, answer.json()["error"]["status"]) == (501, "UNIMPLEMENTED")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.GetDish(pb.GetDishRequest())
        assert (failed.value.code(), failed.value.details()) == (
            grpc.StatusCode.UNIMPLEMENTED,
            answer.json()["error"]["message"],
        )
        assert (await served.http.get("/v1/ticks")).status_code == 501


async def test_unbound_methods_are_bound_on_demand(serve: Serve) -> None:
    async with serve(gateway={"unbound": "auto"}) as served:
        answer = await served.http.post("/kitchen.v1.KitchenService/Unbound", json={"dishId": "7"})
        assert answer.json()["id"] == "7"
        assert "/kitchen.v1.KitchenService/Unbound" in (await served.http.get("/openapi.json")).json()["paths"]
    async with serve() as served:
        assert "/kitchen.v1.KitchenService/Unbound" not in (await served.http.get("/openapi.json")).json()["paths"]


# Lifespan.


class Spans:
    """Notes when it is entered and left."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @contextlib.asynccontextmanager
    async def __call__(self, app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        self.events.append("enter")
        async with anyio.create_task_group() as group:  # must be left in the task that entered it
            group.start_soon(anyio.sleep_forever)
            yield {"pool": "the pool"}
            group.cancel_scope.cancel()
        self.events.append("leave")


async def test_the_lifespan_encloses_the_listeners() -> None:
    spans = Spans()
    gateway = made(lifespan=spans)

    @gateway.app.get("/pool")
    async def pool(request: Request) -> str:
        return str(request.state.pool)

    async with gateway:
        assert spans.events == ["enter"]
        url = f"http://127.0.0.1:{gateway.http_port}"
        async with httpx2.AsyncClient(base_url=url, verify=False, timeout=PATIENCE) as http:
            assert (await http.get("/pool")).json() == "the pool"
        stopping = asyncio.create_task(gateway.stop(0))
        await stopping
        assert spans.events == ["enter", "leave"]


async def test_the_first_request_enters_the_lifespan() -> None:
    spans = Spans()
    gateway = made(lifespan=spans)
    async with client(gateway.app) as http:
        assert (await http.get("/v1/dishes/1")).json()["id"] == "1"
        assert (await http.get("/v1/dishes/1")).status_code == 200
    assert spans.events == ["enter"]
    await gateway.stop(0)
    assert spans.events == ["enter", "leave"]


async def test_the_asgi_lifespan_enters_and_leaves_it() -> None:
    spans = Spans()
    gateway = made(lifespan=spans)
    async with gateway.app.router.lifespan_context(gateway.app) as state:
        assert state == {"pool": "the pool"}
        assert spans.events == ["enter"]
    assert spans.events == ["enter", "leave"]


async def test_a_lifespan_that_fails_stops_the_start() -> None:
    async def failing() -> None:
        raise LookupError("no database")

    @contextlib.asynccontextmanager
    async def broken(app: FastAPI) -> AsyncIterator[None]:
        await failing()
        yield

    gateway = made(lifespan=broken)
    with pytest.raises(LookupError, match="no database"):
        await gateway.start()


# The app.


async def test_the_app_needs_no_port() -> None:
    gateway = made()
    async with client(gateway.app) as http:
        assert (await http.get("/v1/dishes/a%2Fb")).json()["id"] == "a/b"
        assert (await http.get("/v1/ticks?count=2", headers={"accept": "application/x-ndjson"})).text.count("\n") == 2
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.get("/nowhere")).json()["error"]["status"] == "NOT_FOUND"
    await gateway.stop(0)


async def test_the_app_may_be_mounted_under_a_prefix() -> None:
    gateway = made()
    outer = FastAPI(routes=[Mount("/api", gateway.app)])
    async with client(outer) as http:
        assert (await http.get("/api/v1/dishes/a%2Fb")).json()["id"] == "a/b"
        assert (await http.get("/api/v1/kitchens/x/dishes/y")).json()["id"] == "kitchens/x/dishes/y"
        assert (await http.get("/api/healthz")).json() == {"status": "ok"}
        assert (await http.put("/api/v1/dishes")).headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert (await http.get("/v1/dishes/1")).status_code == 404
        docs = (await http.get("/api/docs")).text
        assert '"/api/docs/assets/swagger-ui-bundle.js"' in docs
        assert (await http.get("/api/docs/assets/swagger-ui-bundle.js")).status_code == 200
        assert (await http.get("/api/openapi.json")).json()["openapi"].startswith("3.1")
    await gateway.stop(0)
