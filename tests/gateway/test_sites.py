"""Pages of other sites: which requests of a browser are refused, and which hosts a request may name."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import unquote

import grpc
import h2.events
import httpx2
import pytest
from fastapi import FastAPI

from diptych import Gateway, Settings
from diptych.http_server.app.hosts import Hosts
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served
from tests.gateway.http2_client import Client, connected
from tests.gateway.test_websocket import opened, refusal
from tests.kitchen import Kitchen
from tests.waiting import PATIENCE

BOTH_WAYS = True

EVIL, ALLOWED = "https://evil.example", "https://shop.example"
SERVICE = "/kitchen.v1.KitchenService"
PART = b'--B\r\ncontent-disposition: form-data; name="data"; filename="x"\r\n\r\nx\r\n--B--\r\n'
UNSAFE = {
    "json": ("POST", "/v1/dishes", "application/json", b"{}"),
    "text/plain": ("POST", "/v1/dishes", "text/plain", b"{}"),
    "a form": ("POST", "/v1/dishes", "application/x-www-form-urlencoded", b"title=x"),
    "multipart": ("POST", "/v1/blobs", "multipart/form-data; boundary=B", PART),
    "no type": ("POST", "/v1/dishes", "", b"{}"),
    "put": ("PUT", "/v1/dishes/7", "application/json", b"{}"),
    "delete": ("DELETE", "/v1/dishes/7", "", b""),
    "client stream": ("POST", "/v1/sum", "application/x-ndjson", b"{}\n"),
    "connect": ("POST", f"{SERVICE}/CreateDish", "application/json", b"{}"),
    "connect proto": ("POST", f"{SERVICE}/CreateDish", "application/proto", b""),
    "connect stream": ("POST", f"{SERVICE}/Sum", "application/connect+json", b""),
    "grpc-web": ("POST", f"{SERVICE}/CreateDish", "application/grpc-web+proto", bytes(5)),
    "grpc-web-text": ("POST", f"{SERVICE}/CreateDish", "application/grpc-web-text", b"AAAAAAA="),
    "unknown path": ("POST", "/nowhere", "text/plain", b""),
}  # fmt: skip


async def ask(served: Served, name: str, **headers: str) -> Any:
    verb, path, kind, body = UNSAFE[name]
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return await served.http.request(
        verb, path, content=body, headers={**sent, **({"content-type": kind} if kind else {})}
    )


ENVELOPED = ("connect stream", "grpc-web", "grpc-web-text")


def said(name: str, answer: Any) -> tuple[int, str, str]:
    """The HTTP status, the code and the message of an error, as the protocol of the request writes them."""
    body = answer.content
    if name == "grpc-web-text":
        body = base64.b64decode(body)
    if name.startswith("grpc-web"):
        lines = dict(line.split(": ", 1) for line in body[5:].decode().splitlines())
        code = grpc_code(int(lines["grpc-status"]))
        return answer.status_code, code, lines["grpc-message"]
    if name.startswith("connect"):
        error = json.loads(body[5:])["error"] if name == "connect stream" else json.loads(body)
        return answer.status_code, error["code"].upper(), error["message"]
    error = json.loads(body)["error"]
    return answer.status_code, error["status"], error["message"]


def grpc_code(number: int) -> str:
    """The name of a gRPC code."""
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)


class Strict(Kitchen):
    """Fails the test if a mutating call is executed."""

    async def CreateDish(self, request: Any, context: Any) -> Any:
        self.executed = True
        return await super().CreateDish(request, context)

    executed = False


FOREIGN: list[dict[str, str]] = [
    {"sec_fetch_site": "cross-site", "origin": EVIL},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site", "origin": "https://other.shop.example"},
    {"sec_fetch_site": "cross-site", "origin": "null"},
    {"sec_fetch_site": "nonsense"},
    {"origin": EVIL},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "not an origin"},
]


@pytest.mark.parametrize("name", UNSAFE)
async def test_a_page_of_another_site_may_not_change_anything(serve: Serve, name: str) -> None:
    """With no authentication it could create and run jobs: browsers send such requests without asking the server."""
    kitchen = Strict()
    async with serve(kitchen) as served:
        for headers in FOREIGN:
            found = await ask(served, name, **headers)
            status, code, message = said(name, found)
            assert (status, code) == (200 if name in ENVELOPED else 403, "PERMISSION_DENIED"), headers
            assert "cors_origins" in message
            assert not kitchen.executed


@pytest.mark.parametrize("name", UNSAFE)
async def test_own_pages_and_other_clients_may(serve: Serve, name: str) -> None:
    async with serve(cors_origins=(ALLOWED,)) as served:
        own = f"http://127.0.0.1:{served.gateway.http_port}"
        plain = await ask(served, name)
        for headers in (
            {"sec_fetch_site": "same-origin", "origin": own},
            {"sec_fetch_site": "same-origin", "origin": "https://what.a.proxy.made.of.it"},
            {"sec_fetch_site": "none"},
            {"origin": own},
            {"origin": ALLOWED},
            {"sec_fetch_site": "cross-site", "origin": ALLOWED},
        ):
            found = await ask(served, name, **headers)
            assert (found.status_code, found.content) == (plain.status_code, plain.content)
            assert b"cors_origins" not in found.content


async def test_any_origin_may_with_an_asterisk(serve: Serve) -> None:
    async with serve(cors_origins=("*",)) as served:
        for headers in FOREIGN:
            assert (await ask(served, "json", **headers)).status_code == 201


async def test_safe_requests_and_preflights_are_answered(serve: Serve) -> None:
    async with serve(cors_origins=(ALLOWED,)) as served:
        foreign = {"sec-fetch-site": "cross-site", "origin": EVIL}
        assert (await served.http.get("/v1/dishes/7", headers=foreign)).status_code == 200
        assert (await served.http.head("/v1/dishes/7", headers=foreign)).status_code in (200, 405)
        asked = {"origin": ALLOWED, "access-control-request-method": "POST", "sec-fetch-site": "cross-site"}
        found = await served.http.options("/v1/dishes", headers=asked)
        assert (found.status_code, found.headers["access-control-allow-origin"]) == (200, ALLOWED)


async def test_users_own_routes_decide_themselves(serve: Serve) -> None:
    async with serve() as served:

        @served.gateway.app.post("/hook")
        async def hook() -> dict[str, str]:
            return {}

        headers = {"sec-fetch-site": "cross-site", "origin": EVIL}
        assert (await served.http.post("/hook", headers=headers)).status_code == 200


async def test_over_http2(serve: Serve) -> None:
    async with serve() as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        for headers, status in (([("origin", EVIL)], "403"), ([("sec-fetch-site", "none")], "201")):
            stream = client.request(
                "/v1/dishes", "POST", end=False, headers=[*headers, ("content-type", "application/json")]
            )
            client.h2.send_data(stream, b"{}", end_stream=True)
            await client.flush()
            assert await status_of(client, stream) == status


async def status_of(client: Client, stream: int) -> str:
    """The status of a response over HTTP/2."""
    headers = (await client.event(h2.events.ResponseReceived, stream)).headers or []
    return next(str(value) for name, value in headers if str(name) == ":status")


# Hosts.


@pytest.mark.parametrize(
    ("allowed", "host", "fits"),
    [
        (["shop.example"], "shop.example", True),
        (["shop.example"], "SHOP.example:8080", True),
        (["Shop.example"], "shop.example.", True),
        (["shop.example"], "www.shop.example", False),
        (["shop.example"], "shop.example.evil", False),
        (["shop.example"], "evilshop.example", False),
        (["shop.example"], "127.0.0.1", False),
        (["*.shop.example"], "www.shop.example", True),
        (["*.shop.example"], "a.b.shop.example:1", True),
        (["*.shop.example"], "shop.example", False),
        (["*.shop.example"], "evilshop.example", False),
        (["*.shop.example"], "*.shop.example", True),
        (["[::1]"], "[::1]:8080", True),
        (["::1"], "[::1]", True),
        (["10.0.0.1", "shop.example"], "10.0.0.1:80", True),
        ([], "shop.example", False),
    ],
)
def test_a_host(allowed: list[str], host: str, fits: bool) -> None:
    hosts = Hosts(allowed)
    assert [hosts.allow(host.encode()) for _ in range(2)] == [fits, fits]


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LocalHost", True),
        ("app.localhost:1", True),
        ("127.0.0.1", True),
        ("127.9.9.9:80", True),
        ("[::1]:8080", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.7", False),
        ("notlocalhost", False),
    ],
)
async def test_on_the_loopback_only_its_names_are_served(serve: Serve, host: str, fits: bool) -> None:
    """A page whose name resolves to 127.0.0.1 is of the same origin as the gateway for its browser (DNS rebinding)."""
    async with serve(allowed_hosts=None) as served:

        @served.gateway.app.get("/own")
        async def own() -> dict[str, str]:
            return {}

        for path in ("/v1/dishes/7", "/own", "/docs", "/openapi.json", "/metrics", "/nowhere"):
            found = await served.http.get(path, headers={"host": host})
            if fits:
                assert found.status_code == (404 if path == "/nowhere" else 200), path
            else:
                assert found.status_code == 400, path
                assert "allowed_hosts" in str(found.json()["error"]), path
                assert host.partition(":")[0].lower() in str(found.json()["error"]).lower()
        assert (await served.http.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("name", [name for name in UNSAFE if name.startswith(("connect", "grpc"))])
async def test_a_foreign_host_is_refused_in_the_form_of_the_protocol(serve: Serve, name: str) -> None:
    async with serve(allowed_hosts=("shop.example",)) as served:
        status, code, message = said(name, await ask(served, name, host="evil.example"))
        assert (status, code) == (200 if name in ENVELOPED else 400, "INVALID_ARGUMENT")
        assert "'evil.example' is not a host of this server; see the setting allowed_hosts" in unquote(message)


@pytest.mark.parametrize(("path", "kind"), [("GetDish", "unary"), ("Sum", "client stream"), ("Nothing", "unary")])
async def test_a_grpc_client_on_the_single_port_reads_why_it_is_refused(
    serve: Serve, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # grpcio says INTERNAL if a status arrives before it has sent its message: the gateway waits for that, but not long.
    monkeypatch.setattr("diptych.faces.rpc.enveloped._MOMENT_SECONDS", PATIENCE)
    foreign, own = [("grpc.default_authority", "evil.example")], [("grpc.default_authority", "shop.example")]
    async with serve(allowed_hosts=("shop.example",)) as served:
        cases = (
            (foreign, (), grpc.StatusCode.INVALID_ARGUMENT, "allowed_hosts"),
            (own, (("sec-fetch-site", "cross-site"),), grpc.StatusCode.PERMISSION_DENIED, "cors_origins"),
        )
        for options, metadata, code, setting in cases:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{served.gateway.http_port}", options=options) as channel:
                made: Any = channel.unary_unary if kind == "unary" else channel.stream_unary
                request: Any = b"" if kind == "unary" else iter([b""])
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await made(f"{SERVICE}/{path}")(request, metadata=metadata)
                assert refused.value.code() is code
                assert setting in str(refused.value.details())


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_websocket_of_another_sites_page(serve: Serve, headers: dict[str, str]) -> None:
    """Some have no Origin, which a page of another site must not gain by."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with serve() as served:
        status, error = await refusal(served, "/v1/converse", additional_headers=sent)
        assert (status, error["status"]) == (403, "PERMISSION_DENIED")
        assert "cors_origins" in error["message"]
        for own in ("same-origin", "none"):
            async with opened(served, "/v1/converse", additional_headers={"sec-fetch-site": own}):
                pass


def test_the_default_depends_on_the_address() -> None:
    assert Hosts.of(Settings()) is not None
    assert Hosts.of(Settings(http_host="::1")) is not None
    assert Hosts.of(Settings(http_host="0.0.0.0")) is None
    assert Hosts.of(Settings(allowed_hosts=("*",))) is None
    assert Hosts.of(Settings(http_host="0.0.0.0", allowed_hosts=("x",))) is not None


@pytest.mark.parametrize("wrong", ["x.example", "https://x/", "https://x/y", "https://u@x", "//x", "null", ""])
def test_what_is_no_origin(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected origins such as"):
        Settings(cors_origins=[wrong])  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["https://x", "x/y", "x y", "a,*b", "x:80", ""])
def test_what_is_no_host(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected hosts such as"):
        Settings(allowed_hosts=[wrong])  # type: ignore[arg-type]


async def test_a_websocket_of_another_host(serve: Serve) -> None:
    async with serve(allowed_hosts=("127.0.0.1",)) as served:
        async with opened(served, "/v1/converse"):
            pass
        status, error = await refusal(served, "/v1/converse", host="evil.example")
        assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
        assert "allowed_hosts" in error["details"][0]["fieldViolations"][0]["description"]


async def test_an_authority_of_http2(serve: Serve) -> None:
    async with serve(allowed_hosts=("shop.example",)) as served, asyncio.timeout(20):
        for authority, status in (("shop.example:8080", "200"), ("evil.example", "400")):
            async with connected(served.gateway.http_port) as client:
                stream = client.h2.get_next_available_stream_id()
                pairs = [(":method", "GET"), (":scheme", "http"), (":path", "/v1/dishes/7"), (":authority", authority)]
                client.h2.send_headers(stream, pairs, end_stream=True)
                await client.flush()
                assert await status_of(client, stream) == status


PROXIED: list[tuple[dict[str, Any], dict[str, str], int]] = [
    ({"trusted_proxies": "127.0.0.1"}, {"host": "internal", "x-forwarded-host": "shop.example"}, 200),
    ({"trusted_proxies": "127.0.0.1"}, {"host": "internal", "x-forwarded-host": "evil, shop.example:443"}, 200),
    ({"trusted_proxies": "127.0.0.1"}, {"host": "shop.example"}, 200),
    ({"trusted_proxies": "127.0.0.1"}, {"host": "internal"}, 400),
    ({"trusted_proxies": "127.0.0.1"}, {"host": "shop.example", "x-forwarded-host": "evil.example"}, 400),
    ({"trusted_proxies": "127.0.0.1"}, {"host": "shop.example", "x-forwarded-host": "a b\\"}, 400),
    ({"trusted_proxies": "10.0.0.1"}, {"host": "internal", "x-forwarded-host": "shop.example"}, 400),
    ({"trusted_proxies": "10.0.0.1"}, {"host": "shop.example", "x-forwarded-host": "evil.example"}, 200),
    ({}, {"host": "internal", "x-forwarded-host": "shop.example"}, 400),
    (
        {"trusted_proxies": "127.0.0.1", "proxy_header": "forwarded"},
        {"host": "internal", "forwarded": 'for=1.2.3.4;host="shop.example:443"', "x-forwarded-host": "evil.example"},
        200,
    ),
    (
        {"trusted_proxies": "127.0.0.1", "proxy_header": "forwarded"},
        {"host": "internal", "forwarded": "for=1.2.3.4"},
        400,
    ),
]


@pytest.mark.parametrize(("settings", "headers", "status"), PROXIED, ids=str)
async def test_behind_proxies(serve: Serve, settings: dict[str, Any], headers: dict[str, str], status: int) -> None:
    async with serve(allowed_hosts=("shop.example",), **settings) as served:
        assert (await served.http.get("/v1/dishes/7", headers=headers)).status_code == status
        if status == 200:
            posted = await served.http.post(
                "/v1/dishes", json={}, headers={**headers, "origin": "https://shop.example"}
            )
            assert posted.status_code == 201


PROXY = {"trusted_proxies": "127.0.0.1", "allowed_hosts": ("shop.example",)}
STRANGER = {"trusted_proxies": "10.0.0.1", "allowed_hosts": ("internal",)}
SOCKETS: list[tuple[dict[str, Any], dict[str, str], int, str]] = [
    (PROXY, {"x-forwarded-host": "shop.example"}, 101, "the page's own host, as the proxy reports it"),
    (PROXY, {"x-forwarded-host": "shop.example:443"}, 101, "with its scheme's port"),
    (PROXY, {"x-forwarded-host": "evil.example, shop.example"}, 101, "the last of several is the proxy's word"),
    (PROXY, {"x-forwarded-host": "shop.example, evil.example"}, 400, "and no other one"),
    (PROXY, {"x-forwarded-host": "shop.example:8443"}, 403, "another port is another origin"),
    (PROXY, {"x-forwarded-host": "shop.example", "origin": EVIL}, 403, "a page of another site"),
    (PROXY, {"x-forwarded-host": "evil.example", "origin": EVIL}, 400, "a host that is not allowed"),
    (PROXY, {"x-forwarded-host": "shop.example/"}, 400, "no host"),
    (PROXY, {"x-forwarded-host": "ann@shop.example"}, 400, "a user before the host"),
    (PROXY, {}, 400, "a proxy that reports none: the host is the upstream's"),
    (PROXY | {"cors_origins": (EVIL,)}, {"x-forwarded-host": "shop.example", "origin": EVIL}, 101, "cors_origins"),
    (STRANGER, {"x-forwarded-host": "shop.example"}, 403, "anyone else's word changes nothing"),
    (STRANGER, {"x-forwarded-host": "evil.example", "origin": "https://internal"}, 101, "nor does it harm"),
]


@pytest.mark.parametrize(
    ("settings", "headers", "status", "why"), SOCKETS, ids=lambda one: one if type(one) is str else ""
)
async def test_a_websocket_behind_proxies(
    serve: Serve, settings: dict[str, Any], headers: dict[str, str], status: int, why: str
) -> None:
    sent = {"origin": "https://shop.example", **headers}
    async with serve(**settings) as served:
        if status == 101:
            async with opened(served, "/v1/converse", host="internal", additional_headers=sent) as socket:
                await socket.send('{"number":7}')
                assert '"number":"7"' in str(await socket.recv())
        else:
            assert (await refusal(served, "/v1/converse", host="internal", additional_headers=sent))[0] == status


async def test_another_server_applies_the_hosts_that_are_set() -> None:
    """It knows itself which address it listens on, so that the default is ours alone."""
    for allowed, host, status in ((None, "test", 200), (("shop.example",), "test", 400), (("test",), "test", 200)):
        gateway = Gateway(Settings(allowed_hosts=allowed))
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
        outer = FastAPI(lifespan=gateway.app.router.lifespan_context)
        outer.mount("/", gateway.app)
        async with gateway.app.router.lifespan_context(gateway.app):
            transport = httpx2.ASGITransport(gateway.app)
            async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                assert (await client.get("/v1/dishes/7")).status_code == status
