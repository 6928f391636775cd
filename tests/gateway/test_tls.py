"""TLS on every port: client identities, refused clients, and certificates that change while calls run."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from diptych import Gateway, Settings
from diptych.origin import origin
from diptych.rpc_server import EngineError
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.certificates import COOK, COOKS_NAMES, Authority, Shown, self_signed, settings
from tests.kitchen import Kitchen

DISH = pb.GetDishRequest(dish_id="1").SerializeToString()
PATH = "/kitchen.v1.KitchenService/GetDish"
# Properties in which two equal connections may differ; Python's TLS does not report the second.
OF_THE_HANDSHAKE = ("ssl_session_reused", "ssl_negotiated_key_exchange_group")


class Asking(Kitchen):
    """Keeps its callers' certificates' identities."""

    def __init__(self) -> None:
        super().__init__()
        self.proven: list[dict[str, list[bytes]]] = []
        self.identities: list[tuple[str | None, list[bytes] | None]] = []

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        self._keep(context)
        return pb.Dish(id=request.dish_id)

    async def Tick(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._keep(context)
        async for tick in super().Tick(request, context):
            yield tick

    def _keep(self, context: Any) -> None:
        known = origin()
        assert known is not None
        told = {key: list(values) for key, values in context.auth_context().items()}
        assert told == {key: list(values) for key, values in known.auth.items()}
        self.proven.append({key: values for key, values in told.items() if key not in OF_THE_HANDSHAKE})
        identities = context.peer_identities()
        self.identities.append((context.peer_identity_key(), None if identities is None else list(identities)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def shown(authority: Authority) -> Shown:
    """The gateway's certificate, which no test changes."""
    return authority.shown()


@asynccontextmanager
async def running(kitchen: Kitchen, **given: Any) -> AsyncIterator[Gateway]:
    gateway = Gateway(Settings(http_port=0, grpc_port=0, **given))
    pb_grpc.add_KitchenServiceServicer_to_server(kitchen, gateway)
    async with asyncio.timeout(50), gateway:
        yield gateway
        await gateway.stop(0)


# Faces: each makes one call with or without the certificate, and raises if it is refused.

Face = Callable[[Gateway, Authority, Shown | None], Awaitable[None]]


async def by_grpc(gateway: Gateway, authority: Authority, client: Shown | None) -> None:
    async with authority.channel(gateway.grpc_port, client) as channel:
        await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(dish_id="1"), timeout=20)


async def _http(gateway: Gateway, context: ssl.SSLContext, *, http2: bool = False, **request: Any) -> httpx2.Response:
    base = f"https://localhost:{gateway.http_port}"
    async with httpx2.AsyncClient(base_url=base, verify=context, http2=http2, timeout=20) as client:
        answer = await client.request(**request)
    assert answer.status_code == 200
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    return answer


async def by_rest(gateway: Gateway, authority: Authority, client: Shown | None) -> None:
    await _http(gateway, authority.trusting(client), method="GET", url="/v1/dishes/1")


async def by_rest_over_http2(gateway: Gateway, authority: Authority, client: Shown | None) -> None:
    await _http(gateway, authority.trusting(client), http2=True, method="GET", url="/v1/dishes/1")


async def by_grpc_web(gateway: Gateway, authority: Authority, client: Shown | None) -> None:
    framed = b"\0" + len(DISH).to_bytes(4, "big") + DISH
    headers = {"content-type": "application/grpc-web+proto"}
    await _http(gateway, authority.trusting(client), method="POST", url=PATH, content=framed, headers=headers)


async def by_connect(gateway: Gateway, authority: Authority, client: Shown | None) -> None:
    headers = {"content-type": "application/proto"}
    await _http(gateway, authority.trusting(client), method="POST", url=PATH, content=DISH, headers=headers)


async def by_websocket(gateway: Gateway, authority: Authority, client: Shown | None) -> None:
    url = f"wss://localhost:{gateway.http_port}/v1/ticks?count=1"
    async with connect(url, ssl=authority.trusting(client)) as websocket:
        await websocket.recv()


FACES: dict[str, tuple[Face, dict[str, Any]]] = {
    "builtin": (by_grpc, {}),
    "grpcio": (by_grpc, {"grpc_engine": "grpcio"}),
    "single-port": (by_grpc, {"single_port": True}),
    "rest": (by_rest, {}),
    "rest-h2": (by_rest_over_http2, {}),
    "grpc-web": (by_grpc_web, {}),
    "connect": (by_connect, {}),
    "websocket": (by_websocket, {}),
}
REFUSED = (grpc.aio.AioRpcError, httpx2.TransportError, InvalidHandshake, OSError)

every_face = pytest.mark.parametrize("face", FACES)


# Identity.


async def _as_grpcio_says(client: Shown, authority: Authority, shown: Shown) -> dict[str, list[bytes]]:
    """Returns what grpcio's own server reports."""
    told: dict[str, list[bytes]] = {}

    class Plain(Kitchen):
        async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
            told.update({key: list(values) for key, values in context.auth_context().items()})
            return pb.Dish()

    server = grpc.aio.server()
    pb_grpc.add_KitchenServiceServicer_to_server(Plain(), server)
    credentials = grpc.ssl_server_credentials([(shown.key, shown.chain)], authority.pem, require_client_auth=True)
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    async with authority.channel(port, client) as channel:
        await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(), timeout=20)
    await server.stop(0)
    return {key: values for key, values in told.items() if key not in OF_THE_HANDSHAKE}


def _subjects(authority: Authority) -> dict[str, Shown]:
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "only a name")])
    two = [x509.UniformResourceIdentifier(f"spiffe://example/{who}") for who in ("one", "two")]
    return {
        "everything": authority.named("cook", COOK, *COOKS_NAMES),
        "a chain": authority.client("chained.example"),
        "no other name": authority.named("plain", named),
        "no name": authority.named("nameless", x509.Name([]), x509.DNSName("nameless.example")),
        "two SPIFFE ids": authority.named("two", named, *two),
        "no SPIFFE id": authority.named("none", named, x509.UniformResourceIdentifier("spiffe://example/")),
    }


@pytest.mark.parametrize(
    "kind", ["everything", "a chain", "no other name", "no name", "two SPIFFE ids", "no SPIFFE id"]
)
async def test_every_face_has_the_same_auth_context_as_grpcio(kind: str, authority: Authority, shown: Shown) -> None:
    client = _subjects(authority)[kind]
    expected = await _as_grpcio_says(client, authority, shown)
    assert expected["x509_pem_cert"]
    given = settings(shown, tls_client_ca=authority.file, tls_client_auth="required")
    told: dict[str, Any] = {}
    for chosen in ({}, {"grpc_engine": "grpcio"}, {"single_port": True}):
        kitchen = Asking()
        async with running(kitchen, **chosen, **given) as gateway:
            for name, (face, also) in FACES.items():
                if also == chosen:
                    await face(gateway, authority, client)
                    told[name] = kitchen.proven[-1]
        key = "x509_common_name" if kind == "no other name" else "x509_subject_alternative_name"
        assert set(map(str, kitchen.identities)) == {str((key, expected[key]))}
    for name, proven in told.items():
        if not name.startswith(("builtin", "grpcio", "single")) and "x509_pem_cert_chain" not in expected:
            proven.pop("x509_pem_cert_chain", None)  # Python's clients also send the authority's certificate
    assert told == dict.fromkeys(FACES, expected)


@every_face
async def test_a_client_without_a_certificate_has_no_identity(face: str, authority: Authority, shown: Shown) -> None:
    call, also = FACES[face]
    kitchen = Asking()
    async with running(kitchen, **settings(shown, **also)) as gateway:
        await call(gateway, authority, authority.client("stranger"))  # the server does not request a client certificate
    (proven,) = kitchen.proven
    assert proven == {
        "transport_security_type": [b"ssl"],
        "security_level": [b"TSI_PRIVACY_AND_INTEGRITY"],
        "ssl_requested_server_name": [b"localhost"],
        "ssl_tls_version": [b"TLSv1.3"],
    }
    assert kitchen.identities == [(None, None)]


# Accepted and refused certificates.


def _client(certificate: str, authority: Authority, folder: Path) -> Shown | None:
    if certificate == "none":
        return None
    return authority.client("right") if certificate == "right" else Authority(folder, "other").client("evil")


@every_face
@pytest.mark.parametrize("certificate", ["none", "another authority's", "right"])
async def test_a_required_certificate_must_be_valid(
    face: str, certificate: str, authority: Authority, shown: Shown, tmp_path: Path
) -> None:
    call, also = FACES[face]
    client = _client(certificate, authority, tmp_path)
    kitchen = Asking()
    given = settings(shown, tls_client_ca=authority.file, tls_client_auth="required", **also)
    async with running(kitchen, **given) as gateway:
        if certificate == "right":
            await call(gateway, authority, client)
        else:
            with pytest.raises(REFUSED):
                await call(gateway, authority, client)
    assert len(kitchen.proven) == (certificate == "right")


@pytest.mark.parametrize("face", [name for name in FACES if name != "grpcio"])
@pytest.mark.parametrize("certificate", ["none", "another", "signed by its key", "the trusted one"])
async def test_a_self_signed_certificate_admits_its_owner_only(
    face: str, certificate: str, authority: Authority, shown: Shown, tmp_path: Path
) -> None:
    call, also = FACES[face]
    trusted, another, signed = self_signed(tmp_path)
    given = settings(shown, tls_client_ca=trusted.certificate_file, tls_client_auth="required", **also)
    kitchen = Asking()
    async with running(kitchen, **given) as gateway:
        if certificate == "the trusted one":
            await call(gateway, authority, trusted)
        else:
            client = {"another": another, "signed by its key": signed}.get(certificate)
            with pytest.raises(REFUSED):
                await call(gateway, authority, client)
    names = [proven["x509_common_name"] for proven in kitchen.proven]
    assert names == ([[b"trusted"]] if certificate == "the trusted one" else [])


@pytest.mark.parametrize("face", [name for name in FACES if name != "grpcio"])
@pytest.mark.parametrize("certificate", ["none", "another authority's", "right"])
async def test_an_optional_certificate_must_be_valid_if_sent(
    face: str, certificate: str, authority: Authority, shown: Shown, tmp_path: Path
) -> None:
    call, also = FACES[face]
    client = _client(certificate, authority, tmp_path)
    kitchen = Asking()
    given = settings(shown, tls_client_ca=authority.file, tls_client_auth="optional", **also)
    async with running(kitchen, **given) as gateway:
        if certificate == "another authority's":
            with pytest.raises(REFUSED):
                await call(gateway, authority, client)
        else:
            await call(gateway, authority, client)
    names = [proven.get("x509_subject_alternative_name") for proven in kitchen.proven]
    assert names == {"none": [None], "right": [[b"right"]]}.get(certificate, [])


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (
            {"tls_client_auth": "optional"},
            r'"grpcio" cannot serve tls_client_auth "optional": .*"required", or grpc_engine to "builtin"',
        ),
        ({"tls_minimum": "1.3"}, r'set tls_minimum to "1.2", or grpc_engine to "builtin"'),
    ],
)
async def test_settings_that_grpcio_does_not_support_stop_the_start(
    given: dict[str, Any], wrong: str, authority: Authority, shown: Shown
) -> None:
    with_authority = {"tls_client_ca": authority.file} if "tls_client_auth" in given else {}
    with pytest.raises(EngineError, match=wrong):
        await Gateway(Settings(**settings(shown, grpc_engine="grpcio", **given, **with_authority))).start()


@pytest.mark.parametrize(
    "given",
    [
        {"tls_client_auth": "required"},
        {"tls_client_ca": "ca.pem"},
        {"tls_client_ca": "ca.pem", "tls_client_auth": "required", "tls_certificate": None, "tls_key": None},
    ],
)
def test_incomplete_tls_settings_are_refused(given: dict[str, Any], shown: Shown) -> None:
    with pytest.raises(ValueError, match="tls_client_ca"):
        Settings(**{**settings(shown), **given})


@pytest.mark.parametrize("text", ["", "soup", None])
async def test_invalid_authorities_stop_the_start(text: str | None, shown: Shown, tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(OSError, match=r"cannot use tls_client_ca .*authorities\.pem"):
        await Gateway(Settings(**settings(shown, tls_client_ca=file, tls_client_auth="required"))).start()


async def test_grpcio_accepts_no_certificate_by_a_self_signed_one(
    authority: Authority, shown: Shown, tmp_path: Path
) -> None:
    trusted, _, signed = self_signed(tmp_path)
    given = settings(shown, grpc_engine="grpcio", tls_client_auth="required")
    with pytest.raises(OSError, match=r"it has no CA certificate$"):
        await Gateway(Settings(**given, tls_client_ca=trusted.certificate_file)).start()
    both = tmp_path / "both.pem"
    both.write_bytes(authority.pem + trusted.chain)
    kitchen = Asking()
    async with running(kitchen, **given, tls_client_ca=both) as gateway:
        await by_grpc(gateway, authority, authority.client("right"))
        for client in (trusted, signed):
            with pytest.raises(REFUSED):
                await by_grpc(gateway, authority, client)
    assert len(kitchen.proven) == 1


async def test_a_certificate_that_no_client_can_be_verified_against_stops_the_start(
    authority: Authority, shown: Shown, tmp_path: Path
) -> None:
    file = tmp_path / "leaf.pem"
    file.write_bytes(authority.client("leaf").chain.partition(b"-----END CERTIFICATE-----\n")[0])
    file.write_bytes(file.read_bytes() + b"-----END CERTIFICATE-----\n")
    with pytest.raises(OSError, match="it has no CA certificate and no self-signed one"):
        await Gateway(Settings(**settings(shown, tls_client_ca=file, tls_client_auth="required"))).start()


# Versions, and plain text.


async def _handshake(port: int, context: ssl.SSLContext) -> str | None:
    _, writer = await asyncio.open_connection("localhost", port, ssl=context)
    version: str | None = writer.get_extra_info("ssl_object").version()
    writer.close()
    await writer.wait_closed()
    return version


@pytest.mark.parametrize(("minimum", "version", "taken"), [("1.2", "TLSv1_2", True), ("1.3", "TLSv1_2", False)])
async def test_the_minimum_version_is_enforced(
    minimum: str, version: str, taken: bool, authority: Authority, shown: Shown
) -> None:
    context = authority.trusting()
    context.maximum_version = ssl.TLSVersion[version]
    async with running(Kitchen(), **settings(shown, tls_minimum=minimum)) as gateway:
        for port in (gateway.http_port, gateway.grpc_port):
            if taken:
                assert await _handshake(port, context) == "TLSv1.2"
            else:
                with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
                    await _handshake(port, context)
        assert await _handshake(gateway.http_port, authority.trusting()) == "TLSv1.3"


@pytest.mark.parametrize("port", ["http_port", "grpc_port"])
async def test_no_port_supports_old_tls(port: str, authority: Authority, shown: Shown) -> None:
    context = authority.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with running(Kitchen(), **settings(shown)) as gateway:
        with pytest.raises(OSError):
            await _handshake(getattr(gateway, port), context)


async def test_plain_http_on_a_tls_port_gets_an_explanation(shown: Shown) -> None:
    async with (
        running(Kitchen(), **settings(shown)) as gateway,
        httpx2.AsyncClient(base_url=f"http://localhost:{gateway.http_port}", timeout=20) as client,
    ):
        answer = await client.get("/v1/dishes/1")
    assert answer.status_code == 400
    assert answer.headers["connection"] == "close"
    (violation,) = answer.json()["error"]["details"][0]["fieldViolations"]
    assert violation["description"] == "this port speaks TLS: ask for https"


@pytest.mark.parametrize("face", ["builtin", "grpcio", "single-port"])
async def test_plain_grpc_is_refused(face: str, authority: Authority, shown: Shown) -> None:
    kitchen = Asking()
    async with running(kitchen, **settings(shown, **FACES[face][1])) as gateway:
        async with grpc.aio.insecure_channel(f"localhost:{gateway.grpc_port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(), timeout=20)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        await by_grpc(gateway, authority, None)
    assert len(kitchen.proven) == 1


async def test_garbage_in_the_handshake_closes_the_connection(shown: Shown) -> None:
    async with running(Kitchen(), **settings(shown, handshake_seconds=0.5)) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=20) as plain:
            plain.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(plain, b"\x16\x03\x01\x00\x05hello")
            try:
                while await loop.sock_recv(plain, 1024):
                    pass  # an alert, at most
            except ConnectionResetError:
                pass


# New certificates.


def _serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


async def _shown_by(port: int, authority: Authority) -> int:
    _, writer = await asyncio.open_connection("localhost", port, ssl=authority.trusting())
    seen: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(seen).serial_number


@pytest.mark.parametrize("face", ["builtin", "grpcio", "single-port"])
async def test_new_connections_get_a_new_certificate_while_streams_continue(
    face: str, authority: Authority, tmp_path: Path
) -> None:
    mine = Authority(tmp_path)
    files, newer = mine.shown("old"), mine.shown("new")
    kitchen = Kitchen()
    async with running(kitchen, **settings(files, **FACES[face][1], tls_reload_seconds=0)) as gateway:
        ports = {gateway.http_port, gateway.grpc_port}
        async with (
            mine.channel(gateway.grpc_port) as channel,
            httpx2.AsyncClient(verify=mine.trusting(), timeout=20) as client,
        ):
            url = f"https://localhost:{gateway.http_port}/v1/ticks?count=2&key=rest"
            calls: Any = pb_grpc.KitchenServiceStub(channel).Tick(pb.TickRequest(count=2, key="grpc"))
            for key in ("rest", "grpc"):
                kitchen.steps[key].release()
            async with client.stream("GET", url, headers={"accept": "application/x-ndjson"}) as streamed:
                lines = streamed.aiter_lines()
                assert '"1"' in await anext(lines)
                assert (await calls.read()).number == 1
                assert {await _shown_by(port, mine) for port in ports} == {_serial(files.chain)}
                files.write(newer.chain, newer.key)
                assert await gateway.reload_certificates()
                assert not await gateway.reload_certificates()
                assert {await _shown_by(port, mine) for port in ports} == {_serial(newer.chain)}
                for key in ("rest", "grpc"):
                    kitchen.steps[key].release()
                assert '"2"' in await anext(lines)
                assert (await calls.read()).number == 2


class Told(logging.Handler):
    """Waits for lines of the log."""

    def __init__(self, what: str) -> None:
        super().__init__(logging.INFO)
        self._what, self.event = what, asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._what in record.getMessage():
            self.event.set()


async def test_files_that_change_are_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    files, newer = authority.shown("old"), authority.shown("new")
    told, log = Told("reloaded the certificate"), logging.getLogger("diptych.tls")
    log.addHandler(told)
    try:
        with caplog.at_level(logging.INFO, "diptych.tls"):
            async with running(Kitchen(), **settings(files, tls_reload_seconds=0.01)) as gateway:
                files.write(newer.chain, newer.key)
                await told.event.wait()
                assert await _shown_by(gateway.http_port, authority) == _serial(newer.chain)
                assert await _shown_by(gateway.grpc_port, authority) == _serial(newer.chain)
    finally:
        log.removeHandler(told)


async def test_sighup_loads_new_files_at_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files, newer = authority.shown("old"), authority.shown("new")
    given = {key: str(value) for key, value in settings(files).items()} | {"tls_reload_seconds": 0}
    command = [sys.executable, "-m", "tests.gateway.stopping", json.dumps(given)]
    path = {"PYTHONPATH": ":".join(["tests/gen", "."]), "PATH": "", "PYTHONWARNINGS": "error"}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=path)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(50):
            port = int((await process.stdout.readline()).split()[0])
            assert await _shown_by(port, authority) == _serial(files.chain)
            files.write(newer.chain, newer.key)
            assert await _shown_by(port, authority) == _serial(files.chain)
            process.send_signal(signal.SIGHUP)
            while await _shown_by(port, authority) != _serial(newer.chain):
                pass  # each is a connection that is served
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("broken", ["another's key", "half a certificate", "gone"])
async def test_invalid_new_files_are_logged_and_change_nothing(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    files, newer = authority.shown("old"), authority.shown("new")
    async with running(Kitchen(), **settings(files, tls_reload_seconds=0)) as gateway:
        if broken == "gone":
            files.key_file.unlink()
        else:
            files.write(newer.chain[:-200] if "half" in broken else newer.chain, files.key)
        for _ in range(3):
            assert not await gateway.reload_certificates()
        told = [line for line in caplog.messages if "the certificate is not reloaded" in line]
        assert len(told) == 1, "said once, however often it is looked at"
        assert str(files.key_file) in told[0]
        assert await _shown_by(gateway.http_port, authority) == _serial(files.chain)
        assert await _shown_by(gateway.grpc_port, authority) == _serial(files.chain)
        files.write(newer.chain, newer.key)
        assert await gateway.reload_certificates()
        assert await _shown_by(gateway.http_port, authority) == _serial(newer.chain)


@pytest.mark.parametrize("face", ["builtin", "grpcio", "single-port", "rest", "websocket"])
async def test_a_removed_authority_is_no_longer_trusted(face: str, tmp_path: Path) -> None:
    call, also = FACES[face]
    mine, next_one = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(mine.pem)
    before, after = mine.client("before"), next_one.client("after")
    kitchen = Asking()
    given = settings(mine.shown(), tls_client_ca=trusted, tls_client_auth="required", tls_reload_seconds=0, **also)
    async with running(kitchen, **given) as gateway:
        await call(gateway, mine, before)
        trusted.write_bytes(next_one.pem)
        assert await gateway.reload_certificates()
        with pytest.raises(REFUSED):
            await call(gateway, mine, before)
        await call(gateway, mine, after)
    assert [proven["x509_subject_alternative_name"] for proven in kitchen.proven] == [[b"before"], [b"after"]]


async def test_no_session_is_resumed_past_a_change_of_authorities(tmp_path: Path) -> None:
    mine, next_one = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(mine.pem)
    given = settings(
        mine.shown(), tls_client_ca=trusted, tls_client_auth="required", tls_reload_seconds=0, single_port=True
    )
    context = mine.trusting(mine.client("before"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose sessions are available right after the handshake

    def visit(port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
        ):
            secure.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert secure.recv(64).startswith(b"HTTP/1.1 200")
            assert secure.session_reused is (session is not None)
            return secure.session

    async with running(Kitchen(), **given) as gateway:
        session = await asyncio.to_thread(visit, gateway.http_port, None)
        await asyncio.to_thread(visit, gateway.http_port, session)
        trusted.write_bytes(next_one.pem)
        assert await gateway.reload_certificates()
        with pytest.raises(OSError):
            await asyncio.to_thread(visit, gateway.http_port, session)
