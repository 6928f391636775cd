"""The whole gateway over HTTP/2: REST and its streams, TLS with both versions by ALPN, and one port for everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import h2.events as ev
import pytest
import trustme

from diptych import Gateway, Settings
from diptych.http_server import HttpListener
from diptych.tls import CertificateReloader
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.e2e.conftest import serving as program
from tests.gateway.http2_client import Client, Code, answer, connected, listening
from tests.kitchen import Kitchen

BOTH_WAYS = True


async def test_unary_calls(serve: Serve) -> None:
    async with serve() as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        head, body = await client.get("/v1/dishes/7")
        assert (head[":status"], json.loads(body)["id"]) == ("200", "7")
        stream = client.request("/v1/mirror", "POST", end=False, headers=[("content-type", "text/plain")])
        await client.upload(stream, b"hi")
        assert (await client.response(stream))[1] == b"hi"
        head, body = await client.get("/v1/nothing")
        assert (head[":status"], json.loads(body)["error"]["status"]) == ("404", "NOT_FOUND")
        assert (await client.get("/healthz"))[0][":status"] == "200"


async def test_a_body_above_the_limit_is_refused_before_it_is_sent(serve: Serve) -> None:
    small = serve(max_body_bytes=1000)
    async with small as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/echo", "POST", end=False, headers=[("content-length", "100000")])
        await client.flush()
        assert (await client.response(stream))[0][":status"] == "413"
        assert (await client.event(ev.StreamReset, stream)).error_code == Code.NO_ERROR


async def test_concurrent_event_streams(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        accept = [("accept", "text/event-stream")]
        streams = {key: client.request(f"/v1/ticks?count=2&key={key}", headers=accept) for key in "abc"}
        await client.flush()
        for number in (1, 2):
            for key, stream in streams.items():
                kitchen.steps[key].release()
                said = f'"number":"{number}"'.encode()
                await client.until(partial(client.has, stream, said))
        for stream in streams.values():
            assert (await client.response(stream))[1].endswith(b"event: end\ndata: {}\n\n")


async def test_a_failed_stream_ends_with_its_error_and_the_others_continue(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/ticks?count=3&key=k&failAfter=1", headers=[("accept", "application/x-ndjson")])
        await client.flush()
        for _ in range(3):
            kitchen.steps["k"].release()
        body = (await client.response(stream))[1]  # it ends without a reset, which would overtake the error
        first, error = body.splitlines()
        assert (b'"number":"1"' in first, b'"error"' in error) == (True, True)
        assert (await client.get("/v1/dishes/7"))[0][":status"] == "200"


async def test_a_reset_cancels_the_call(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/ticks?count=9&key=k")
        await client.flush()
        await kitchen.waiting["k"].wait()
        client.h2.reset_stream(stream, Code.CANCEL)
        await client.flush()
        await kitchen.cancelled["k"].wait()


async def test_a_stop_lets_calls_finish(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/wait", "POST", end=False, headers=[("content-type", "application/json")])
        await client.upload(stream, b'{"key":"k"}')
        await kitchen.waiting["k"].wait()
        stopping = asyncio.create_task(served.gateway.stop(15))
        await client.event(ev.ConnectionTerminated)
        kitchen.released["k"].set()
        assert (await client.response(stream))[0][":status"] == "200"
        await client.eof()
        await stopping


# TLS.


class Certified:
    """A certificate for localhost in files, and a client context that trusts it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        self.certificate, self.key = str(folder / "chain.pem"), str(folder / "key.pem")
        issued.private_key_pem.write_to_path(self.key)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(self.certificate, append=number > 0)
        self.authority = authority.cert_pem.bytes()

    def trusting(self, *protocols: str) -> ssl.SSLContext:
        """A client that offers these by ALPN."""
        context = ssl.create_default_context(cadata=self.authority.decode())
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    @property
    def settings(self) -> dict[str, Any]:
        """Returns the settings of a gateway that uses it."""
        return {"tls_certificate": self.certificate, "tls_key": self.key}


@contextlib.asynccontextmanager
async def secured(
    app: Any, certified: Certified, *protocols: str, greet: bool = True
) -> AsyncIterator[tuple[HttpListener, Client]]:
    """An app behind TLS, and a client of HTTP/2."""
    tls, trusting = CertificateReloader(Settings(**certified.settings)), certified.trusting("h2", *protocols)
    async with listening(app, tls=tls) as listener, connected(listener.port, greet=greet, tls=trusting) as client:
        yield listener, client


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """One for all tests here: making keys takes time."""
    return Certified(tmp_path_factory.mktemp("tls"))


async def version(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the protocol of the request."""
    said = f"{scope['scheme']} {scope['http_version']}".encode()
    await answer(send, said, headers=[(b"content-length", b"%d" % len(said))])


async def test_over_tls_the_client_chooses_by_alpn(certified: Certified) -> None:
    async with asyncio.timeout(20), secured(version, certified, "http/1.1") as (listener, client):
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        assert (await client.get())[1] == b"https 2"
        for offered in (["http/1.1"], []):
            context = certified.trusting(*offered)
            reader, writer = await asyncio.open_connection("localhost", listener.port, ssl=context)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"https 1.1")
            writer.close()
            await writer.wait_closed()


async def test_over_tls_a_preface_is_still_asked_for(certified: Certified) -> None:
    async with asyncio.timeout(20), secured(version, certified, greet=False) as (_, client):
        client.h2.initiate_connection()
        client.h2.clear_outbound_data_buffer()
        await client.raw(b"GET / HTTP/1.1\r\n\r\n")
        assert (await client.event(ev.ConnectionTerminated)).error_code == Code.PROTOCOL_ERROR
        await client.eof()


async def test_a_stop_over_tls_finishes_what_runs(certified: Certified) -> None:
    begun, may = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await may.wait()
        await answer(send, b"done")

    async with asyncio.timeout(20), secured(app, certified) as (listener, client):
        stream = client.request()
        await client.flush()
        await begun.wait()
        stopping = asyncio.create_task(listener.stop(15))
        await client.event(ev.ConnectionTerminated)
        may.set()
        assert (await client.response(stream))[1] == b"done"
        await client.eof()
        await stopping


@pytest.mark.parametrize("single", [True, False], ids=["single port", "two ports"])
async def test_both_faces_over_tls(certified: Certified, single: bool) -> None:
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, single_port=single, allowed_hosts=("*",), **certified.settings)
    )
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    async with asyncio.timeout(20), gateway:
        trusting = certified.trusting("h2")
        async with connected(gateway.http_port, tls=trusting) as client:
            assert json.loads((await client.get("/v1/dishes/7"))[1])["id"] == "7"
        assert (gateway.grpc_port == gateway.http_port) is single
        credentials = grpc.ssl_channel_credentials(certified.authority)
        async with grpc.aio.secure_channel(f"localhost:{gateway.grpc_port}", credentials) as channel:
            dish = await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(dish_id="7"))
            assert dish.id == "7"


async def test_an_invalid_certificate_stops_the_start(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for path in (wrong, tmp_path / "missing.pem"):
        gateway = Gateway(Settings(http_port=0, grpc_port=0, single_port=True, tls_certificate=path, tls_key=path))
        with pytest.raises(OSError, match=f"tls_certificate.*{path.name}"):
            await gateway.start()


# One port.


async def test_one_port_serves_every_version(serve: Serve) -> None:
    async with serve(single_port=True) as served, asyncio.timeout(20):
        port = served.gateway.http_port
        assert served.gateway.grpc_port == port
        assert (await served.http.get("/v1/dishes/7")).json()["id"] == "7"  # HTTP/1.1
        async with connected(port) as client:
            assert json.loads((await client.get("/v1/dishes/7"))[1])["id"] == "7"
        assert (await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"))).id == "7"


async def test_its_limits_are_settings(serve: Serve) -> None:
    small = serve(http2_max_streams=3, http2_ping_seconds=0.05)
    async with small as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        await client.event(ev.PingReceived)
        assert client.h2.remote_settings.max_concurrent_streams == 3


async def test_the_command_opens_one_port() -> None:
    with program("--single-port", app="tests.kitchen_app:create") as where:
        host, _, port = where.grpc.rpartition(":")
        assert where.http == f"http://{where.grpc}"
        async with asyncio.timeout(20), grpc.aio.insecure_channel(where.grpc) as channel:
            assert (await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(dish_id="7"))).id == "7"
            async with connected(int(port)) as client:
                assert json.loads((await client.get("/v1/dishes/7"))[1])["id"] == "7"
        assert host == "127.0.0.1"
