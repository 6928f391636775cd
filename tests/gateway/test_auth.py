"""Authorization: rules by method, public methods, pages, the OpenAPI document, and the content of refusals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from diptych import Credentials, Gateway, Principal, Refused, Settings, principal
from diptych.auth import ApiKeys, AuthError, AuthInterceptor, hash_key, new_key
from diptych.auth.interceptor import AuthenticatorChain
from diptych.auth.policy import Policy
from diptych.settings.auth import ApiKey, AuthSettings
from diptych.status import Status, StatusError
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen

BOTH_WAYS = True

REFLECTION: Any = reflection_pb2.ServerReflectionRequest
SERVICE = "/kitchen.v1.KitchenService"
CHEF, GUEST = new_key("chef"), new_key("guest")
KEYS = {
    "chef": {"hash": hash_key(CHEF), "scopes": ["cook", "eat"], "roles": ["staff"]},
    "guest": {"hash": hash_key(GUEST), "scopes": ["eat"]},
}
DISH = pb.GetDishRequest(dish_id="1")


def by(key: str) -> dict[str, str]:
    return {"x-api-key": key}


def auth(**more: Any) -> dict[str, Any]:
    return {"api_keys": KEYS, **more}


async def code_of(call: Any) -> str:
    """Returns the error of a call by grpcio."""
    try:
        await call
    except grpc.aio.AioRpcError as failed:
        return failed.code().name
    return "OK"


async def drain(call: Any) -> list[Any]:
    return [message async for message in call]


RULES = [
    {"methods": f"{SERVICE}/*", "scopes": ["eat"]},
    {"methods": f"{SERVICE}/Get*", "roles": ["staff", "owner"]},
    {"methods": [f"{SERVICE}/GetSpecial", f"{SERVICE}/ListDishes"]},
    {"methods": f"{SERVICE}/CookDish", "scopes": ["cook", "eat"], "roles": ["staff"]},
]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("post", "/v1/dishes/1:cook", {"chef"}),
        ("get", "/v1/dishes/1", {"chef"}),
        ("get", "/v1/dishes/special", {"chef", "guest"}),
        ("get", "/v1/dishes", {"chef", "guest"}),
        ("get", "/v1/echo", {"chef", "guest"}),
    ],
)
async def test_only_the_most_specific_rule_applies(serve: Serve, method: str, path: str, allowed: set[str]) -> None:
    async with serve(auth=auth(rules=RULES)) as served:
        for name, key in (("chef", CHEF), ("guest", GUEST)):
            body: dict[str, Any] | None = {} if method == "post" else None
            answer = await served.http.request(method, path, headers=by(key), json=body)
            assert answer.status_code == (200 if name in allowed else 403), answer.text


async def test_a_denial_names_every_missing_scope_and_role(serve: Serve) -> None:
    async with serve(auth=auth(rules=RULES)) as served:
        answer = await served.http.post("/v1/dishes/1:cook", headers=by(GUEST), json={})
    error = answer.json()["error"]
    assert error["message"] == "the caller lacks the scope cook and the role staff"
    [info] = error["details"]
    assert info["reason"] == "SCOPE_MISSING"
    assert info["metadata"] == {"method": f"{SERVICE}/CookDish", "scopes": "cook", "roles": "staff"}
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="cook eat"'


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rules": [{"methods": f"{SERVICE}/GetDsh"}]}, "no served method matches /kitchen.v1.KitchenService/GetDsh"),
        ({"rules": [{"methods": "/kitchen.v2.*"}]}, r"no served method matches /kitchen.v2.\*"),
        ({"public_methods": ["/grpc.health.v1.Health/Chek"]}, "no served method matches"),
        ({"public_methods": [f"{SERVICE}/Echo"], "rules": [{"methods": f"{SERVICE}/Echo"}]}, "is in two rules"),
        (
            {"rules": [{"methods": f"{SERVICE}/Echo", "scopes": [one]} for one in "ab"]},
            "is in two rules",
        ),
    ],
)
async def test_an_inconsistent_rule_stops_the_start(serve: Serve, settings: Any, told: str) -> None:
    with pytest.raises(AuthError, match=told):
        async with serve(auth=auth(**settings)):
            raise AssertionError("it started")


@pytest.mark.parametrize("pattern", ["GetDish", "kitchen.v1.KitchenService/Echo", "/a/b/c", "/a*b/c", "", "/a b/c"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"expected /package\.Service/Method"):
        Settings(auth=auth(public_methods=[pattern]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"auth": {"rules": [{"methods": "/a.B/*"}]}}, "no authenticator"),
        ({"auth": {"certificates": [{"san": "*"}]}}, "tls_client_ca"),
        ({"auth": auth(), "metadata_deny": ["Authorization"]}, "authorization"),
        ({"auth": auth(), "metadata_allow": ["authorization"]}, "x-api-key"),
    ],
)
def test_settings_that_contradict_each_other_are_errors(settings: Any, told: str) -> None:
    with pytest.raises(AuthError, match=told):
        Gateway(Settings(**settings))


async def test_without_an_authenticator_anyone_may_call(serve: Serve) -> None:
    async with serve() as served:
        assert (await served.http.get("/v1/dishes/1")).status_code == 200
        assert (await served.http.get("/v1/dishes/1", headers=by("whatever"))).status_code == 200
        assert (await served.http.get("/docs")).status_code == 200
        assert served.gateway.openapi()["components"].get("securitySchemes") is None


@every_engine
async def test_an_unknown_method_needs_credentials_too(serve: Serve) -> None:
    async with serve(auth=auth()) as served:
        unknown: Any = served.channel.unary_unary("/kitchen.v1.KitchenService/Nothing")
        assert await code_of(unknown(b"")) == "UNAUTHENTICATED"
        assert await code_of(unknown(b"", metadata=(("x-api-key", GUEST),))) == "UNIMPLEMENTED"


@every_engine
async def test_health_is_public_and_reflection_is_not(serve: Serve) -> None:
    async with serve(auth=auth()) as served:
        health: Any = health_pb2_grpc.HealthStub(served.channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)  # type: ignore[arg-type]

        def asked() -> Any:
            return iter([REFLECTION(list_services="")])

        assert await code_of(drain(reflection.ServerReflectionInfo(asked()))) == "UNAUTHENTICATED"
        answers = await drain(reflection.ServerReflectionInfo(asked(), metadata=(("x-api-key", GUEST),)))
        assert answers[0].list_services_response.service


async def test_public_methods_need_no_credentials_but_use_them(serve: Serve) -> None:
    class Telling(Kitchen):
        async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
            caller = principal()
            return pb.Dish(id="nobody" if caller is None else caller.id)

    async with serve(Telling(), auth=auth(public_methods=f"{SERVICE}/GetDish")) as served:
        for headers, name in (({}, "nobody"), (by("wrong"), "nobody"), (by(CHEF), "chef")):
            answer = await served.http.get("/v1/dishes/1", headers=headers)
            assert (answer.status_code, answer.json()["id"]) == (200, name)
        health: Any = health_pb2_grpc.HealthStub(served.channel)
        assert await code_of(health.Check(health_pb2.HealthCheckRequest())) == "UNAUTHENTICATED", "the list is whole"


async def test_the_principal_is_known_to_interceptors_and_to_every_kind_of_servicer(serve: Serve) -> None:
    seen: list[tuple[str, str]] = []

    def note(where: str) -> None:
        caller = principal()
        assert caller is not None
        seen.append((where, f"{caller.kind}:{caller.id}"))

    class Asking(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            note("interceptor")
            return await continuation(details)

    class Telling(Kitchen):
        def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:  # type: ignore[override]
            note("thread")
            return pb.Dish()

        async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
            note("stream")
            await asyncio.create_task(asyncio.to_thread(note, "task"))
            yield pb.TickResponse()

    async with serve(Telling(), interceptors=[Asking()], auth=auth()) as served:
        await served.http.get("/v1/dishes/1", headers=by(CHEF))
        await drain(served.rpc.Tick(pb.TickRequest(), metadata=(("x-api-key", CHEF),)))
    assert seen == [(where, "api-key:chef") for where in ("interceptor", "thread", "interceptor", "stream", "task")]
    assert principal() is None


class Ticket:
    """A custom authenticator: `authorization: Ticket name`."""

    def __init__(self, expires: float | None = None) -> None:
        self.security_schemes = {"ticket": {"type": "http", "scheme": "ticket"}}
        self.closed = False
        self.expires = expires

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        scheme, _, name = (credentials.authorization or "").partition(" ")
        if scheme != "Ticket":
            return None
        if name == "broken":
            raise RuntimeError("hidden reason")
        if name == "stolen":
            raise Refused("the ticket was stolen")
        return Principal(id=name, kind="ticket", expires=self.expires)

    async def close(self) -> None:
        self.closed = True


async def test_a_custom_authenticator_is_tried_first(serve: Serve) -> None:
    ticket = Ticket()
    async with serve(gateway={"authenticators": [ticket]}, auth=auth()) as served:
        for value, status in (("Ticket ada", 200), ("Ticket stolen", 401), ("Ticket broken", 500), ("ticket ada", 401)):
            answer = await served.http.get("/v1/dishes/1", headers={"authorization": value})
            assert answer.status_code == status, answer.text
            assert "hidden" not in answer.text
        assert (await served.http.get("/v1/dishes/1", headers=by(CHEF))).status_code == 200
        assert served.gateway.openapi()["components"]["securitySchemes"].keys() == {"ticket", "apiKey"}
    assert ticket.closed


async def test_a_call_with_a_key_needs_no_coroutine_of_the_interceptors(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    waiting = AuthInterceptor.intercept_service

    async def intercepted(self: AuthInterceptor, continuation: Any, details: Any) -> Any:
        asked.append(details.method)
        return await waiting(self, continuation, details)

    monkeypatch.setattr(AuthInterceptor, "intercept_service", intercepted)
    limits = {"max_in_flight": 9, "rules": [{"methods": f"{SERVICE}/*", "rate": "100/minute"}]}
    async with serve(auth=auth(rules=RULES), limits=limits) as served:
        answers = [await served.http.get("/v1/dishes/1", headers=headers) for headers in (by(CHEF), by(GUEST), {})]
        assert [answer.status_code for answer in answers] == [200, 403, 401]
        assert answers[0].headers["ratelimit"].startswith('"')
    assert asked == []


class Strict(ApiKeys):
    """A user's own, which accepts fewer callers than the class it is made of."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        found = await super().authenticate(credentials)
        if found is not None and found.id == "guest":
            raise Refused("guests stay outside today")
        return found


async def test_a_subclass_of_a_built_in_authenticator_decides(serve: Serve) -> None:
    strict = Strict({name: ApiKey.model_validate(key) for name, key in KEYS.items()})
    async with serve(gateway={"authenticators": [strict]}) as served:
        assert (await served.http.get("/v1/dishes/1", headers=by(CHEF))).status_code == 200
        answer = await served.http.get("/v1/dishes/1", headers=by(GUEST))
        assert (answer.status_code, answer.json()["error"]["message"]) == (401, "guests stay outside today")


class Closed(AuthInterceptor):
    """A user's own, which refuses everybody."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise StatusError(Status(code=grpc.StatusCode.UNAVAILABLE, message="closed today"))


async def test_a_subclass_of_the_interceptor_decides(serve: Serve) -> None:
    closed = Closed(
        AuthenticatorChain([]), Policy(AuthSettings()), {}, [], [], ThreadPoolExecutor(1), recheck_expiry=True
    )
    async with serve(interceptors=[closed]) as served:
        assert (await served.http.get("/v1/dishes/1")).status_code == 503


class Loose(Kitchen):
    """Signals when a stream was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        try:
            yield pb.TickResponse(number=1)
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        async for _ in request_iterator:
            pass
        return pb.TickResponse(number=7)


@every_engine
async def test_a_stream_ends_when_its_callers_credentials_expire(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("diptych.auth.streams.time", lambda: now)
    kitchen, metadata = Loose(), (("authorization", "Ticket ada"),)
    async with serve(kitchen, gateway={"authenticators": [Ticket(expires=now + 0.3)]}) as served:
        ticks = served.rpc.Tick(pb.TickRequest(), metadata=metadata)
        assert (await anext(aiter(ticks))).number == 1
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await drain(ticks)
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert ended.value.details() == "the credentials have expired"
        async with asyncio.timeout(20):
            await kitchen.ended.wait()

        # A streaming client that sends nothing.
        assert await served.rpc.Sum(metadata=metadata).code() is grpc.StatusCode.UNAUTHENTICATED
        async with served.http.stream("GET", "/v1/ticks?count=1", headers=dict(metadata)) as answer:
            assert answer.status_code == 200
            text = ""
            with contextlib.suppress(httpx2.RemoteProtocolError):
                async for piece in answer.aiter_text():
                    text += piece
        assert '"UNAUTHENTICATED"' in text


async def test_a_stream_may_outlive_its_callers_credentials_by_setting(serve: Serve) -> None:
    settings = {"gateway": {"authenticators": [Ticket(expires=1.0)]}, "auth": {"recheck_expiry": False}}
    async with serve(**settings) as served:
        ticks = await drain(served.rpc.Tick(pb.TickRequest(count=2), metadata=(("authorization", "Ticket ada"),)))
    assert len(ticks) == 2
