"""Authentication of pages, documents, WebSockets and generic handlers, and what stays unread and unlogged."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest
from fastapi import Depends, FastAPI
from google.protobuf import empty_pb2
from openapi_spec_validator import validate
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from diptych import Gateway, Principal, Settings, principal
from diptych.cli.load import LoadError, settings_of
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, every_engine
from tests.gateway.issuer import AUDIENCE, ISSUER, document, key_server, public, token
from tests.gateway.test_auth import CHEF, DISH, GUEST, KEYS, SERVICE, auth, by, code_of
from tests.kitchen import Kitchen


async def test_custom_pages_use_the_same_authenticators(serve: Serve) -> None:
    async with serve(auth=auth()) as served:
        app, gateway = served.gateway.app, served.gateway
        known: Any = Depends(gateway.require())

        @app.get("/open")
        async def open_page() -> str:
            return "open"

        @app.get("/mine")
        def mine(caller: Principal = known) -> str:
            found = principal()
            return f"{caller.id} {found and found.id}"

        @app.get("/staff", dependencies=[Depends(gateway.require(roles=["staff"]))])
        async def staff() -> str:
            return "staff"

        def cook(caller: Principal = Depends(gateway.require(scopes=["cook"]))) -> Principal:  # noqa: B008
            return caller

        @app.get("/cook", dependencies=[Depends(cook)])
        async def cooks() -> str:
            return "cook"

        inner = FastAPI()
        inner.add_api_route("/page", open_page)
        app.mount("/inner", gateway.guarded(inner, scopes=["cook"]))
        cases = [("/open", 200, 200, 200), ("/mine", 401, 200, 200), ("/staff", 401, 403, 200)]
        for path, *expected in [*cases, ("/inner/page", 401, 403, 200)]:
            answers = [await served.http.get(path, headers=headers) for headers in ({}, by(GUEST), by(CHEF))]
            assert [answer.status_code for answer in answers] == expected, path
            if expected[0] == 401:
                assert answers[0].headers["www-authenticate"] == "Bearer"
                assert answers[0].json()["error"]["status"] == "UNAUTHENTICATED"
        assert (await served.http.get("/mine", headers=by(CHEF))).json() == "chef chef"
        said = gateway.openapi()
        schemes = said["components"]["securitySchemes"]
        assert schemes
        secure = {path: said["paths"][path]["get"]["security"] for path in ("/open", "/mine", "/staff", "/cook")}
        assert secure == {
            "/open": [],
            "/mine": [{name: []} for name in schemes],
            "/staff": [{name: []} for name in schemes],
            "/cook": [{name: ["cook"]} for name in schemes],
        }


@pytest.mark.parametrize("public", [False, True])
async def test_the_documentation_needs_credentials_unless_public(serve: Serve, *, public: bool) -> None:
    async with serve(auth=auth(docs_public=public)) as served:
        for path in ("/docs", "/openapi.json"):
            assert (await served.http.get(path)).status_code == (200 if public else 401)
            assert (await served.http.get(path, headers=by(GUEST))).status_code == 200
        for path in ("/healthz", "/readyz"):
            assert (await served.http.get(path)).status_code == 200


def test_the_openapi_document_lists_the_security_schemes() -> None:
    jwt = {"issuer": "i", "audiences": "a", "jwks_url": "https://issuer.test/keys"}
    rules = [{"methods": f"{SERVICE}/CookDish", "scopes": ["cook"]}]
    public = [f"{SERVICE}/GetSpecial"]
    document = document_of(auth(jwt=jwt, rules=rules, public_methods=public))
    validate(document)
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    paths = document["paths"]
    assert paths["/v1/dishes/{dishId}:cook"]["post"]["security"] == [{"bearer": ["cook"]}, {"apiKey": ["cook"]}]
    assert paths["/v1/dishes"]["get"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert {"401", "403"} <= paths["/v1/dishes"]["get"]["responses"].keys()
    for open_ in (paths["/v1/dishes/special"]["get"], paths["/healthz"]["get"]):
        assert open_["security"] == []
        assert "401" not in open_["responses"]


def document_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the OpenAPI document of a gateway that is not started."""
    gateway = Gateway(Settings(auth=settings))  # type: ignore[arg-type]
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    return gateway.openapi()


async def test_a_refused_body_is_not_read(serve: Serve) -> None:
    """The server answers before a client that announced ten gigabytes has sent any of them."""
    async with serve(auth=auth()) as served:
        for path, kind in (("/v1/dishes", "application/json"), (f"{SERVICE}/CreateDish", "application/proto")):
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {10 * 1024**3}\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
            writer.write(head.encode())
            async with asyncio.timeout(20):
                assert b" 401 " in await reader.readline()
            writer.close()
            await writer.wait_closed()


@every_engine
async def test_a_refused_message_is_never_parsed(serve: Serve) -> None:
    async with serve(auth=auth()) as served:
        broken: Any = served.channel.unary_unary(f"{SERVICE}/GetDish")
        assert await code_of(broken(b"\xff" * 1000)) == "UNAUTHENTICATED"
        assert await code_of(broken(b"\xff" * 1000, metadata=(("x-api-key", CHEF),))) == "INVALID_ARGUMENT"


async def test_a_websocket_is_refused_in_its_handshake_or_first_frame(serve: Serve) -> None:
    async with serve(auth=auth()) as served:
        url = f"ws://127.0.0.1:{served.gateway.http_port}/v1/ticks?count=1"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url).__aenter__()
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["www-authenticate"] == "Bearer"
        async with connect(f"{url}&$metadata[x-api-key]={CHEF}") as socket:
            assert "number" in str(await socket.recv())
        async with connect(f"{url}&$metadata=frame") as socket:
            await socket.send('{"metadata":{"x-api-key":"wrong"}}')
            await socket.recv()
            assert "UNAUTHENTICATED" in str(await socket.recv())
            await socket.wait_closed()
            assert socket.close_code == 4016


async def test_logs_contain_no_secrets(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    secrets = [CHEF, "dk_chef_wrong-and-hidden", "e30.hidden-claims.hidden-signature"]
    jwt = {"issuer": "i", "audiences": "a", "secret": "a secret of forty characters, or even more"}
    with caplog.at_level(logging.DEBUG):
        async with serve(auth=auth(jwt=jwt), debug=True) as served:
            for secret in secrets:
                for headers in (by(secret), {"authorization": f"Bearer {secret}"}):
                    answer = await served.http.get("/v1/dishes/1", headers=headers)
                    assert secret not in answer.text
                    await code_of(served.rpc.GetDish(DISH, metadata=tuple(headers.items())))
                    await code_of(served.rpc.GetSpecial(empty_pb2.Empty(), metadata=tuple(headers.items())))
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("diptych"))
    assert "refused '/kitchen.v1.KitchenService/GetDish': unknown API key" in ours
    for hidden in (*secrets, "hidden", jwt["secret"], str(KEYS["chef"]["hash"])):
        assert hidden not in ours


async def test_keys_rotate_while_calls_run(serve: Serve) -> None:
    """Tokens of the old and the new key are accepted throughout, until the old key is removed."""
    with key_server(public("one")) as server:
        jwt = {"issuer": ISSUER, "audiences": AUDIENCE, "jwks_url": server.url}
        times = {"jwks_retry_seconds": 0.001, "jwks_timeout_seconds": 60}
        async with serve(auth={"jwt": {**jwt, **times, "cache_tokens": 0}}) as served:
            rotated, stop, failed = asyncio.Event(), asyncio.Event(), list[str]()

            async def calls() -> int:
                made = 0
                while not stop.is_set():
                    signed = token("two" if rotated.is_set() and made % 2 else "one")
                    bearer = {"authorization": f"Bearer {signed}"}
                    answer = await served.http.get("/v1/dishes/1", headers=bearer)
                    code = await code_of(served.rpc.GetDish(DISH, metadata=tuple(bearer.items())))
                    if (answer.status_code, code) != (200, "OK"):
                        failed.append(f"{answer.status_code} {code}")
                    made += 1
                    if made == 5:
                        server.document = document(public("one"), public("two"))
                        rotated.set()
                    if made == 15:
                        stop.set()
                return made

            assert sum(await asyncio.gather(*(calls() for _ in range(3)))) >= 15
            assert not failed
            server.document = document(public("two"))
            old = {"authorization": f"Bearer {token('one')}"}
            assert (
                await served.http.get("/v1/dishes/1", headers={"authorization": f"Bearer {token('three')}"})
            ).is_error
            assert (await served.http.get("/v1/dishes/1", headers=old)).status_code == 401


class Bytes(grpc.GenericRpcHandler):
    """Serves any method of a service without a descriptor."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if not handler_call_details.method.startswith("/raw.Service/"):
            return None

        async def echo(request: bytes, context: Any) -> bytes:
            return request

        return grpc.unary_unary_rpc_method_handler(echo)


@pytest.mark.parametrize("single_port", [False, True])
async def test_patterns_apply_to_generic_handlers(*, single_port: bool) -> None:
    rules = [{"methods": "/raw.Service/Cook*", "scopes": ["cook"]}]
    settings = Settings.model_validate(
        {"http_port": 0, "grpc_port": 0, "single_port": single_port, "auth": auth(rules=rules)}
    )
    gateway = Gateway(settings)
    gateway.add_generic_rpc_handlers([Bytes()])
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        for name, key, code in (
            ("Echo", None, "UNAUTHENTICATED"),
            ("Echo", GUEST, "OK"),
            ("Cook", GUEST, "PERMISSION_DENIED"),
            ("CookMore", CHEF, "OK"),
        ):
            call: Any = channel.unary_unary(f"/raw.Service/{name}")
            metadata = () if key is None else (("x-api-key", key),)
            assert await code_of(call(b"x", metadata=metadata)) == code
        await gateway.stop(0)


def test_settings_come_from_the_environment_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_AUTH__API_KEYS__CI__HASH", str(KEYS["chef"]["hash"]))
    monkeypatch.setenv("DIPTYCH_AUTH__JWT__ISSUER", ISSUER)
    monkeypatch.setenv("DIPTYCH_AUTH__JWT__AUDIENCES", '["kitchen"]')
    monkeypatch.setenv("DIPTYCH_AUTH__JWT__SECRET", "a secret of forty characters, or even more")
    loaded = settings_of(None, {}, ['auth.rules=[{methods = "/a.B/*", scopes = ["x"]}]', "auth.docs_public=true"])
    assert loaded.auth.api_keys.keys() == {"ci"}
    assert loaded.auth.jwt is not None
    assert loaded.auth.jwt.audiences == ("kitchen",)
    assert loaded.auth.rules[0].scopes == ("x",)
    assert loaded.auth.docs_public
    monkeypatch.setenv("DIPTYCH_AUTH__JWT__SECRET", "hidden")
    with pytest.raises(LoadError) as wrong:
        settings_of(None, {}, [])
    assert "shorter than 32 bytes" in str(wrong.value)
    assert "hidden" not in str(wrong.value)
