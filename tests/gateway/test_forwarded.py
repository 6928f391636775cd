"""The client's address behind proxies: which peers are trusted, and which are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from websockets.asyncio.client import connect

from diptych import Settings
from diptych.forwarded import Client, Proxies
from diptych.origin import origin
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen

BOTH_WAYS = True

TRUSTED = tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1", "2001:db8:1::/48")))
PROXY, STRANGER = "127.0.0.1", "192.0.2.9"

# The direct peer, the header's values, and the client; None means the peer itself.
X_FORWARDED_FOR = [
    (PROXY, ["198.51.100.7"], ("198.51.100.7", 0), "one proxy"),
    (PROXY, ["198.51.100.7, 10.1.1.1"], ("198.51.100.7", 0), "two of them"),
    (PROXY, ["198.51.100.7", "10.1.1.1, 10.2.2.2"], ("198.51.100.7", 0), "several headers are one list"),
    (PROXY, ["10.9.9.9, 198.51.100.7"], ("198.51.100.7", 0), "what stands left of the client is its own invention"),
    (PROXY, ["203.0.113.1, 198.51.100.7, 10.1.1.1"], ("198.51.100.7", 0), "the rightmost that is no proxy"),
    (PROXY, ["10.1.1.1, 10.2.2.2"], ("10.1.1.1", 0), "a call from within"),
    (PROXY, ["198.51.100.7:4711"], ("198.51.100.7", 4711), "some proxies tell the port"),
    (PROXY, ["2001:db8::7"], ("2001:db8::7", 0), "IPv6"),
    (PROXY, ["[2001:db8::7]:4711, 2001:db8:1::5"], ("2001:db8::7", 4711), "IPv6 in brackets, behind IPv6"),
    ("::ffff:127.0.0.1", ["198.51.100.7"], ("198.51.100.7", 0), "the proxy on a socket of both families"),
    (PROXY, ["::ffff:198.51.100.7"], ("198.51.100.7", 0), "the client on one"),
    (PROXY, ["soup, 10.1.1.1"], ("10.1.1.1", 0), "garbage: the last that is known"),
    (PROXY, ["198.51.100.7, unknown"], None, "a proxy that does not tell"),
    (PROXY, [""], None, "nothing"),
    (PROXY, ["198.51.100.7:99999999999999999999"], ("198.51.100.7", 0), "a port that is none"),
    (STRANGER, ["198.51.100.7"], None, "not from anybody"),
    (STRANGER, ["10.1.1.1"], None, "nor in a proxy's name"),
    ("unix", ["198.51.100.7"], None, "a peer without an address"),
]
FORWARDED = [
    (PROXY, ["for=198.51.100.7"], ("198.51.100.7", 0, ""), "RFC 7239"),
    (PROXY, ['for=198.51.100.7;proto=https;by=10.1.1.1, For="10.1.1.1"'], ("198.51.100.7", 0, "https"), "a list"),
    (PROXY, ['for="[2001:db8::7]:4711";proto=HTTP'], ("2001:db8::7", 4711, "http"), "IPv6"),
    (PROXY, ['for="_a,b;c", for=10.1.1.1'], ("10.1.1.1", 0, ""), "a hidden one, with separators in quotes"),
    (PROXY, ["proto=gopher;for=198.51.100.7"], ("198.51.100.7", 0, ""), "a scheme that is none"),
    (STRANGER, ["for=198.51.100.7;proto=https"], None, "not from anybody"),
]


@pytest.mark.parametrize(("peer", "told", "client", "why"), X_FORWARDED_FOR, ids=lambda one: one)
def test_the_rightmost_untrusted_address_is_the_client(
    peer: str, told: list[str], client: tuple[str, int] | None, why: str
) -> None:
    found = Proxies(TRUSTED, "x-forwarded-for").client(peer, told)
    assert found == (None if client is None else Client(*client, ""))


@pytest.mark.parametrize(("peer", "told", "client", "why"), FORWARDED, ids=lambda one: one)
def test_rfc_7239(peer: str, told: list[str], client: tuple[str, int, str] | None, why: str) -> None:
    found = Proxies(TRUSTED, "forwarded").client(peer, told)
    assert found == (None if client is None else Client(*client))


@pytest.mark.parametrize(
    ("schemes", "expected"), [([], ""), (["https"], "https"), (["http, HTTPS"], "https"), (["soup"], "")]
)
def test_the_nearest_proxy_sets_the_scheme(schemes: list[str], expected: str) -> None:
    found = Proxies(TRUSTED, "x-forwarded-for").client(PROXY, ["198.51.100.7"], schemes)
    assert found is not None
    assert found.scheme == expected


# On the wire.

SPOOFED = {"x-forwarded-for": "198.51.100.7", "forwarded": "for=203.0.113.1", "x-forwarded-proto": "https"}


class Seeing(Kitchen):
    """Keeps its callers' addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[str] = []

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        self._see(context)
        return pb.Dish(id=request.dish_id)

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[Any]:
        self._see(context)
        async for tick in super().Tick(request, context):
            yield tick

    def _see(self, context: Any) -> None:
        known = origin()
        assert known is not None
        assert known.peer == context.peer()
        self.peers.append(known.peer)


async def _call_all(served: Any) -> None:
    """Calls by every protocol of the HTTP port, and by gRPC."""
    data = pb.GetDishRequest(dish_id="1").SerializeToString()
    path = "/kitchen.v1.KitchenService/GetDish"
    http: httpx2.AsyncClient = served.http
    await http.get("/v1/dishes/1", headers=SPOOFED)
    await http.post(path, content=data, headers={**SPOOFED, "content-type": "application/proto"})
    framed = b"\0" + len(data).to_bytes(4, "big") + data
    await http.post(path, content=framed, headers={**SPOOFED, "content-type": "application/grpc-web+proto"})
    url = f"ws://127.0.0.1:{served.gateway.http_port}/v1/ticks?count=1"
    async with connect(url, additional_headers=SPOOFED) as websocket:
        await websocket.recv()
    metadata = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=203.0.113.1")]
    await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"), metadata=metadata, timeout=20)


@every_engine
@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)])
async def test_an_untrusted_peer_cannot_set_the_address(trusted: tuple[str, ...], serve: Serve) -> None:
    kitchen = Seeing()
    async with serve(kitchen, trusted_proxies=trusted) as served:
        await _call_all(served)
    assert len(kitchen.peers) == 5
    assert all(peer.startswith("ipv4:127.0.0.1:") and not peer.endswith(":0") for peer in kitchen.peers)


@every_engine
@pytest.mark.parametrize(
    ("header", "client"), [("x-forwarded-for", "ipv4:198.51.100.7:0"), ("forwarded", "ipv4:203.0.113.1:0")]
)
async def test_a_trusted_proxy_is_believed_by_every_protocol(header: str, client: str, serve: Serve) -> None:
    kitchen = Seeing()
    async with serve(kitchen, trusted_proxies="127.0.0.0/8", proxy_header=header) as served:
        await _call_all(served)
    assert kitchen.peers == [client] * 5


@every_engine
async def test_plain_functions_see_the_client_too(serve: Serve) -> None:
    class Plain(Kitchen):
        def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:  # type: ignore[override]
            return pb.Dish(id=context.peer())

    async with serve(Plain(), trusted_proxies="127.0.0.0/8") as served:
        dish = await served.rpc.GetDish(pb.GetDishRequest(), metadata=[("x-forwarded-for", "2001:db8::7")], timeout=20)
    assert dish.id == "ipv6:%5B2001:db8::7%5D:0"


async def test_users_routes_see_the_client_and_its_scheme(serve: Serve) -> None:
    async with serve(trusted_proxies="127.0.0.1") as served:

        @served.gateway.app.get("/who")
        async def who(request: Request) -> list[Any]:
            return [*(request.client or ()), request.url.scheme]

        assert (await served.http.get("/who", headers=SPOOFED)).json() == ["198.51.100.7", 0, "https"]


def test_an_invalid_network_is_refused() -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies=("everybody",))  # type: ignore[arg-type]
