"""The gRPC port of the default engine serves only gRPC, and explains that to other clients."""

from __future__ import annotations

import asyncio

import h2.events as ev
import httpx2
import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.gateway.http2_client import connected, fields

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = "/kitchen.v1.KitchenService/GetDish"
ONLY = "this port serves gRPC over HTTP/2 only; REST, gRPC-Web and Connect are served on the HTTP port"


async def refused(served: Served, method: str, path: str, **headers: str) -> tuple[dict[str, str], str]:
    """Returns the head and the text for a request that is not gRPC."""
    async with asyncio.timeout(20), connected(served.gateway.grpc_port) as client:
        stream = client.request(path, method, headers=[(name.replace("_", "-"), headers[name]) for name in headers])
        await client.flush()
        head, body = (await client.response(stream))[:2]
        assert head["content-type"] == "text/plain; charset=utf-8"
        return {str(name): str(value) for name, value in head.items()}, body.decode()


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "application/json", "application/proto", "image/jpeg"),
        *("application/grpc-web", "application/grpc-web-text", "application/connect+proto", "application/grpc+thrift"),
    ],
)
async def test_another_content_type_is_unsupported(shared: Served, content_type: str) -> None:
    head, text = await refused(shared, "POST", PATH, **({"content_type": content_type} if content_type else {}))
    assert head[":status"] == "415"
    assert head["accept-post"] == "application/grpc, application/grpc+proto, application/grpc+json"
    assert text.startswith(f"unsupported content type {content_type!r}; this port serves gRPC: expected ")


@pytest.mark.parametrize("path", [PATH, "/v1/dishes/1", "/docs", "/metrics", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_method_is_not_allowed(shared: Served, method: str, path: str) -> None:
    head, text = await refused(shared, method, path, content_type="application/grpc")
    assert (head[":status"], head["allow"]) == ("405", "POST")
    assert text == f"method {method} is not allowed; gRPC uses POST"


@pytest.mark.parametrize("path", ["/readyz", "/v1/dishes/1", PATH])
async def test_http_1_clients_get_an_explanation(shared: Served, path: str) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{shared.gateway.grpc_port}", timeout=20) as client:
        for answer in (await client.get(path), await client.post(path, content=bytes(100_000))):
            assert (answer.status_code, answer.headers["connection"]) == (505, "close")
            assert answer.json()["error"]["message"] == ONLY


async def test_a_preface_may_come_in_pieces(shared: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.gateway.grpc_port)
    async with asyncio.timeout(20):
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.readexactly(9))[3:] == b"\x04\x00\x00\x00\x00\x00"  # SETTINGS
    writer.close()
    await writer.wait_closed()


async def test_an_incomplete_preface_times_out(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(header_seconds=0.05) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.grpc_port)
        writer.write(b"PRI * HTTP")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_both_ports_share_the_limit_of_connections(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(max_connections=2) as served:
        await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"))
        assert (await served.http.get("/readyz")).status_code == 200
        async with connected(served.gateway.grpc_port, greet=False) as third:
            assert (await third.event(ev.ConnectionTerminated)).additional_data == b"too many connections"
        async with httpx2.AsyncClient(verify=False, timeout=20) as fourth:
            assert (await fourth.get(f"http://127.0.0.1:{served.gateway.http_port}/readyz")).status_code == 503


async def test_metadata_above_the_limit_fails_its_own_call_alone(shared: Served) -> None:
    pairs = [("te", "trailers"), ("x-large", "v" * 100_000), ("content-type", "application/grpc")]
    async with asyncio.timeout(20), connected(shared.gateway.grpc_port) as client:
        begun = client.request(PATH, "POST", end=False, headers=[pairs[0], pairs[2]])
        large = client.request(PATH, "POST", end=False, headers=pairs)
        await client.flush()
        assert (await client.response(large))[0][":status"] == "200"
        refused = fields(await client.event(ev.TrailersReceived, large))
        assert refused["grpc-status"] == "8"
        assert refused["grpc-message"] == "the request's headers exceed 65536 bytes; send fewer or shorter ones"
        await client.upload(begun, b"\0\0\0\0\0")
        await client.response(begun)
        assert fields(await client.event(ev.TrailersReceived, begun))["grpc-status"] == "0"
