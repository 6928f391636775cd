"""Where a call came from, as interceptors and servicers of every kind see it."""

from __future__ import annotations

from typing import Any

import grpc
import httpx2
import pytest
from websockets.asyncio.client import connect

from diptych.origin import Origin, origin
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen

BOTH_WAYS = True

_DISH = pb.GetDishRequest(dish_id="1").SerializeToString()


class Seen(grpc.aio.ServerInterceptor):
    """Keeps the origins that interceptors see."""

    def __init__(self) -> None:
        self.origins: list[Origin | None] = []

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        self.origins.append(origin())
        return await continuation(details)


class Telling(Kitchen):
    """Reads the origin in a plain function's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.origins: list[Origin | None] = []

    def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:  # type: ignore[override]
        self.origins.append(origin())
        return pb.Dish(id=context.peer())


async def _rest(http: httpx2.AsyncClient) -> str:
    return str((await http.get("/v1/dishes/1")).json()["id"])


async def _web(http: httpx2.AsyncClient) -> str:
    framed = b"\0" + len(_DISH).to_bytes(4, "big") + _DISH
    url = "/kitchen.v1.KitchenService/GetDish"
    answer = await http.post(url, content=framed, headers={"content-type": "application/grpc-web+proto"})
    return pb.Dish.FromString(answer.content[5 : 5 + int.from_bytes(answer.content[1:5], "big")]).id


async def _connect(http: httpx2.AsyncClient) -> str:
    url = "/kitchen.v1.KitchenService/GetDish"
    answer = await http.post(url, content=_DISH, headers={"content-type": "application/proto"})
    return pb.Dish.FromString(answer.content).id


@pytest.mark.parametrize(("protocol", "call"), [("rest", _rest), ("grpc-web", _web), ("connect", _connect)])
async def test_each_protocol_of_the_http_port_has_its_name(serve: Serve, protocol: str, call: Any) -> None:
    seen, kitchen = Seen(), Telling()
    async with serve(kitchen, interceptors=[seen]) as served:
        peer = await call(served.http)
    (first,), (second,) = seen.origins, kitchen.origins
    assert first is not None
    assert first is second
    assert (first.protocol, first.peer) == (protocol, peer)
    assert peer.startswith("ipv4:127.0.0.1:")


@every_engine
@pytest.mark.parametrize("intercepted", [True, False])
async def test_grpc_has_its_name(serve: Serve, intercepted: bool) -> None:
    seen, kitchen = Seen(), Telling()
    async with serve(kitchen, interceptors=[seen] if intercepted else []) as served:
        peer = (await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"))).id
    (told,) = kitchen.origins
    assert told is not None
    assert (told.protocol, told.peer) == ("grpc", peer)
    assert seen.origins == ([told] if intercepted else [])


async def test_a_websocket_has_its_name(serve: Serve) -> None:
    seen = Seen()
    async with (
        serve(interceptors=[seen]) as served,
        connect(f"ws://127.0.0.1:{served.gateway.http_port}/v1/ticks?count=1") as socket,
    ):
        await socket.recv()
    (told,) = seen.origins
    assert told is not None
    assert told.protocol == "websocket"
