"""Authentication by client certificates: the same on every face, and not for cross-origin requests of a browser."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from diptych import Credentials, Gateway, Settings, principal
from diptych.auth import Certificates, Refused, hash_key, new_key
from diptych.origin import Origin
from diptych.settings.auth import CertificateRule
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.certificates import Authority, Shown
from tests.certificates import settings as tls
from tests.kitchen import Kitchen

KEY = new_key("robot")
SERVICE = "/kitchen.v1.KitchenService"
AUTH = {
    "certificates": [
        {"san": "cook.internal", "id": "cook", "scopes": ["cook"]},
        {"san": "*.internal", "roles": ["service"]},
    ],
    "api_keys": {"robot": {"hash": hash_key(KEY)}},
    "rules": [{"methods": f"{SERVICE}/CookDish", "scopes": ["cook"]}],
}


class Telling(Kitchen):
    """Answers with the caller's id."""

    def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:  # type: ignore[override]
        caller = principal()
        return pb.Dish(id="" if caller is None else f"{caller.kind}:{caller.id}")

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        caller = principal()
        yield pb.TickResponse(text="" if caller is None else f"{caller.kind}:{caller.id}")

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        numbers = [tick.number async for tick in request_iterator]
        caller = principal()
        return pb.TickResponse(number=sum(numbers), text="" if caller is None else f"{caller.kind}:{caller.id}")


@dataclass(frozen=True)
class Behind:
    """A gateway that requests certificates, and their authority."""

    gateway: Gateway
    authority: Authority

    def http(self, shown: Shown | None) -> httpx2.AsyncClient:
        base = f"https://localhost:{self.gateway.http_port}"
        return httpx2.AsyncClient(base_url=base, verify=self.authority.trusting(shown), timeout=20)

    def rpc(self, shown: Shown | None) -> Any:
        return self.authority.channel(self.gateway.grpc_port, shown)


@asynccontextmanager
async def behind(tmp_path: Path, **settings: Any) -> AsyncIterator[Behind]:
    authority = Authority(tmp_path)
    chosen = {"tls_client_ca": authority.file, "tls_client_auth": "required", "auth": AUTH, **settings}
    made = Settings(http_port=0, grpc_port=0, **tls(authority.shown()), **chosen)
    gateway = Gateway(made)
    pb_grpc.add_KitchenServiceServicer_to_server(Telling(), gateway)
    async with gateway:
        yield Behind(gateway, authority)
        await gateway.stop(0)


async def callers(running: Behind, shown: Shown, metadata: Any = ()) -> list[str]:
    """Returns the caller that the servicer saw, for each face in turn; the code's name if the call was refused."""
    found: list[str] = []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(running.http(shown))
        channel = await stack.enter_async_context(running.rpc(shown))
        rest = await http.get("/v1/dishes/1", headers=dict(metadata))
        found.append(rest.json()["id"] if rest.status_code == 200 else rest.json()["error"]["status"])
        connected = await http.post(f"{SERVICE}/GetDish", json={}, headers=dict(metadata))
        found.append(connected.json().get("id") or connected.json()["code"].upper())
        stub = pb_grpc.KitchenServiceStub(channel)
        try:
            found.append((await stub.GetDish(pb.GetDishRequest(), metadata=metadata)).id)
            found.extend([tick.text async for tick in stub.Tick(pb.TickRequest(), metadata=metadata)])
            found.append((await stub.Sum(iter([pb.TickResponse(number=1)]), metadata=metadata)).text)
        except grpc.aio.AioRpcError as refused:
            found.append(refused.code().name)
        url = f"wss://localhost:{running.gateway.http_port}/v1/ticks?count=1"
        try:
            async with connect(url, ssl=running.authority.trusting(shown), additional_headers=list(metadata)) as socket:
                found.append(str(await socket.recv()).partition('"text":"')[2].partition('"')[0])
        except InvalidStatus as refused_socket:
            found.append("UNAUTHENTICATED" if refused_socket.response.status_code == 401 else "?")
    return found


@pytest.mark.parametrize("single_port", [False, True])
async def test_a_certificate_identifies_its_caller_on_every_face(tmp_path: Path, *, single_port: bool) -> None:
    async with behind(tmp_path, single_port=single_port) as running:
        client = running.authority.client
        assert set(await callers(running, client("cook.internal"))) == {"certificate:cook"}
        assert set(await callers(running, client("web.internal"))) == {"certificate:web.internal"}
        assert set(await callers(running, client("a.b.internal"))) == {"UNAUTHENTICATED"}, "a * is one label"
        assert set(await callers(running, client("web.example"))) == {"UNAUTHENTICATED"}
        key = (("x-api-key", KEY),)
        assert set(await callers(running, client("web.internal"), key)) == {"api-key:robot"}, "headers go first"
        wrong = (("x-api-key", "wrong"),)
        assert set(await callers(running, client("web.internal"), wrong)) == {"UNAUTHENTICATED"}


@pytest.mark.parametrize("single_port", [False, True])
async def test_a_certificate_has_scopes_and_interceptors_know_its_caller(tmp_path: Path, *, single_port: bool) -> None:
    async with behind(tmp_path, single_port=single_port) as running:
        for name, code in (("cook.internal", "OK"), ("web.internal", "PERMISSION_DENIED")):
            async with running.rpc(running.authority.client(name)) as channel:
                stub = pb_grpc.KitchenServiceStub(channel)
                try:
                    await stub.CookDish(pb.CookDishRequest(dish_id="1"))
                    ended = "OK"
                except grpc.aio.AioRpcError as failed:
                    ended = failed.code().name
                assert ended == code


async def test_errors_of_a_call_by_certificate_are_the_usual_ones(tmp_path: Path) -> None:
    async with (
        behind(tmp_path) as running,
        running.rpc(running.authority.client("cook.internal")) as channel,
    ):
        stub = pb_grpc.KitchenServiceStub(channel)
        codes = []
        broken: Any = channel.unary_unary(f"{SERVICE}/GetDish")
        unknown: Any = channel.unary_unary(f"{SERVICE}/Nothing")
        calls: list[Any] = [
            lambda: broken(b"\xff\xff"),
            lambda: unknown(b""),
            lambda: stub.Fail(pb.FailRequest(code=5, message="x", how="abort")),
            lambda: stub.Fail(pb.FailRequest(code=5, message="x", how="set_code")),
            lambda: stub.Fail(pb.FailRequest(code=5, message="x", how="raise")),
        ]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call()
            codes.append(failed.value.code().name)
        assert codes == ["INVALID_ARGUMENT", "UNIMPLEMENTED", "NOT_FOUND", "NOT_FOUND", "INTERNAL"]
        answers = [tick.number async for tick in stub.Converse(iter([pb.TickResponse(number=n) for n in range(9)]))]
        assert answers == list(range(9))


async def test_a_certificate_from_another_authority_gets_no_connection(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger").client("cook.internal")
    async with behind(tmp_path) as running:
        async with running.http(stranger) as http:
            # In TLS 1.3 the client learns of it after its handshake, when httpx2 passes on Python's own error.
            with pytest.raises((httpx2.TransportError, ssl.SSLError)):
                await http.get("/v1/dishes/1")
        async with running.rpc(stranger) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest())
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_page_of_another_origin_may_not_use_the_browsers_certificate(tmp_path: Path) -> None:
    async with behind(tmp_path, cors_origins=("https://ours.example", "*")) as running:
        shown = running.authority.client("cook.internal")
        async with running.http(shown) as http:
            for site, origin, status in (
                ("same-origin", None, 200),
                ("none", None, 200),
                ("cross-site", "https://evil.example", 401),
                ("same-site", "https://evil.example", 401),
                ("cross-site", None, 401),
                ("cross-site", "https://ours.example", 200),
            ):
                headers = {"sec-fetch-site": site, **({} if origin is None else {"origin": origin})}
                assert (await http.get("/v1/dishes/1", headers=headers)).status_code == status, (site, origin)
        url = f"wss://localhost:{running.gateway.http_port}/v1/ticks?count=1"
        trusting: Any = running.authority.trusting(shown)
        ours: Any = "https://ours.example"
        async with connect(url, ssl=trusting, origin=ours) as socket:
            await socket.recv()
        evil: Any = "https://evil.example"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, ssl=trusting, origin=evil).__aenter__()
        assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("web", ["web"], ["webs", "", "Web"]),
        ("*.internal", ["a.internal"], ["a.b.internal", ".internal", "ainternal", "a.internal.evil"]),
        ("**.internal", ["a.internal", "a.b.internal"], [".internal", "a.internal\n"]),
        (
            "spiffe://x/ns/*/sa/web",
            ["spiffe://x/ns/prod/sa/web"],
            ["spiffe://x/ns/a/b/sa/web", "spiffe://x/ns//sa/web"],
        ),
        ("a+(b)", ["a+(b)"], ["aab", "aa(b)"]),
    ],
)
async def test_patterns_match_whole_names(pattern: str, names: list[str], others: list[str]) -> None:
    certificates = Certificates([CertificateRule(san=pattern)])
    common = Certificates([CertificateRule(common_name=pattern, id="x")])
    for name in (*names, *others):
        for authenticator, key in ((certificates, "x509_subject_alternative_name"), (common, "x509_common_name")):
            shown = Credentials(method="/a.B/C", origin=Origin(protocol="grpc", auth={key: [name.encode()]}))
            found = await authenticator.authenticate(shown)
            assert (found is not None) is (name in names), name
    borrowed = Origin(protocol="rest", auth={"x509_common_name": [b"x"]})
    page = Credentials(method="/", origin=borrowed, metadata=(("sec-fetch-site", "cross-site"),))
    with pytest.raises(Refused):
        await common.authenticate(page)


def test_a_rule_needs_exactly_one_kind_of_name() -> None:
    for wrong in ({}, {"san": "a", "common_name": "b"}, {"san": ""}):
        with pytest.raises(ValueError):
            CertificateRule.model_validate(wrong)
