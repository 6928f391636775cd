"""Limits on rates and concurrent calls by every face: the same rules, refusals and counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from diptych.auth import Credentials, Principal
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import ENGINES, Served, serving
from tests.gateway.limiting import held, quiet
from tests.parity.faces import Face, each
from tests.parity.faces.grpc import GrpcFace
from tests.parity.outcome import Outcome, method_of
from tests.parity.registry import FACES

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVICE = "/kitchen.v1.KitchenService"
PATIENCE = 30.0
"""Seconds after which an expected event counts as missing."""
OWN = [
    *("grpc", "grpcio", "native"),
    *(name for name, door in FACES.items() if not door.driver and not name.startswith("python-")),
]
LIVE = [name for name in OWN if name not in FACES or FACES[name].live]
CALLER = "x-caller"

_numbers = count(1)


class Named:
    """Trusts any name that a caller gives."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        named = dict(credentials.metadata).get(CALLER)
        return None if named is None else Principal(id=str(named), kind="named")


@dataclass(frozen=True)
class Limited:
    """The gateways by the needs of a face."""

    two_ports: Served
    single_port: Served
    grpcio: Served
    native: Served

    def face(self, name: str) -> tuple[Face, Served]:
        own = {"grpc": self.two_ports, "grpcio": self.grpcio, "native": self.native}
        if name in own:
            served = own[name]
            return GrpcFace(name, served.channel), served
        door = FACES[name]
        served = self.single_port if door.single_port else self.two_ports
        return door.make(served, None), served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def limited() -> AsyncIterator[Limited]:
    given: dict[str, Any] = {
        "limits": {
            "rules": [
                {"name": "dishes", "methods": [f"{SERVICE}/GetDish", f"{SERVICE}/Converse"], "rate": "2/day"},
                {"name": "lanes", "methods": [f"{SERVICE}/Wait", f"{SERVICE}/Tick"], "concurrent": 1},
            ],
            "max_in_flight": 100,
        },
        "gateway": {"authenticators": [Named()]},
    }
    async with (
        serving(**given) as two_ports,
        serving(**given, **ENGINES["single-port"]) as single_port,
        serving(**given, **ENGINES["grpcio"]) as grpcio,
        serving(**given, **ENGINES["native"]) as native,
    ):
        yield Limited(two_ports, single_port, grpcio, native)


def caller() -> str:
    """Returns a caller without any counted calls."""
    return f"caller-{next(_numbers)}"


def reasons(outcome: Outcome) -> dict[str, Any]:
    """Returns details by the last part of their type's name."""
    return {one["@type"].rpartition(".")[2]: one for one in outcome.details}


@pytest.mark.parametrize("name", OWN)
async def test_a_rate_is_the_same_to_every_face(name: str, limited: Limited) -> None:
    face, served = limited.face(name)
    named = caller()
    unary = face.can(method_of("GetDish"))
    method = "GetDish" if unary else "Converse"
    if not face.can(method_of(method), duplex=not unary):
        method = "Converse"

    async def ask() -> Outcome:
        request: Message = pb.GetDishRequest(dish_id="1") if method == "GetDish" else pb.TickResponse(number=1)
        return await face.call(method, each(request), metadata=((CALLER, named),))

    first, second, third = [await ask() for _ in range(3)]
    assert (first.code, second.code) == ("OK", "OK")
    for outcome, left in ((first, 1), (second, 0)):
        assert outcome.headers["ratelimit-policy"] == '"dishes";q=2;w=86400'
        assert str(outcome.headers["ratelimit"]).startswith(f'"dishes";r={left};t=')
    assert third.code == "RESOURCE_EXHAUSTED"
    assert third.message == "the limit dishes is used up: 2 calls in 86400 seconds"
    assert not third.answers
    found = reasons(third)
    assert found["ErrorInfo"]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert found["ErrorInfo"]["metadata"] == {"limit": "dishes"}
    seconds = float(found["RetryInfo"]["retryDelay"].removesuffix("s"))
    assert 0 < seconds <= 86400
    if name != "native":  # it sends no initial metadata with an error
        # Our own gRPC has all of it in the trailers, since clients retry no call with headers.
        told = {**third.headers, **third.trailers}
        assert str(told["ratelimit"]).startswith('"dishes";r=0;t=')
        assert abs(int(str(told["retry-after"])) - seconds) <= 1
    if name in ("grpc", "grpcio", "grpc-single-port", "grpc-web-h1", "grpc-web-text-h1", "grpc-web-h2"):
        assert int(str(third.trailers["grpc-retry-pushback-ms"])) == round(seconds * 1000)
    other = await face.call(
        method,
        each(pb.GetDishRequest(dish_id="1") if method == "GetDish" else pb.TickResponse(number=1)),
        metadata=((CALLER, caller()),),
    )
    assert other.code == "OK", "another caller has a count of its own"
    await quiet(served.gateway)


async def test_all_faces_share_one_count(limited: Limited) -> None:
    named = ((CALLER, caller()),)
    served = limited.two_ports
    faces = [limited.face(name)[0] for name in ("grpc", "rest-ndjson-h1", "grpc-web-h1", "connect-json-h1")]
    assert {limited.face(face.name)[1] for face in faces} == {served}
    outcomes = [await face.call("GetDish", each(pb.GetDishRequest(dish_id="1")), metadata=named) for face in faces]
    assert [one.code for one in outcomes] == ["OK", "OK", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"]


@pytest.mark.parametrize("name", LIVE)
async def test_a_concurrent_call_is_released_when_its_client_disconnects(name: str, limited: Limited) -> None:
    face, served = limited.face(name)
    kitchen, named = served.kitchen, ((CALLER, caller()),)
    key, later = f"first-{name}-{next(_numbers)}", f"later-{name}-{next(_numbers)}"
    method = "Wait" if face.can(method_of("Wait")) else "Tick"

    async def ask(key: str) -> Outcome:
        request: Message = pb.WaitRequest(key=key) if method == "Wait" else pb.TickRequest(count=1, key=key)
        return await face.call(method, each(request), metadata=named)

    async with asyncio.timeout(PATIENCE):
        first = asyncio.ensure_future(ask(key))
        await kitchen.waiting[key].wait()
        refused = await ask(later)
        assert refused.code == "RESOURCE_EXHAUSTED"
        assert reasons(refused)["ErrorInfo"]["reason"] == "CONCURRENCY_LIMIT_EXCEEDED"
        assert "RetryInfo" in reasons(refused)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        await kitchen.cancelled[key].wait()
        await quiet(served.gateway)
        kitchen.released[later].set()
        kitchen.steps[later].release()
        assert (await ask(later)).code == "OK", "the place is free again"
        await quiet(served.gateway)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def narrow() -> AsyncIterator[Limited]:
    given: dict[str, Any] = {"max_body_bytes": 1_000_000, "limits": {"max_bytes_in_flight": 1_600_000}}
    async with (
        serving(**given) as two_ports,
        serving(**given, **ENGINES["single-port"]) as single_port,
        serving(**given, **ENGINES["grpcio"]) as grpcio,
        serving(**given, **ENGINES["native"]) as native,
    ):
        yield Limited(two_ports, single_port, grpcio, native)


@pytest.mark.parametrize("name", [name for name in LIVE if name not in FACES or FACES[name].unary])
async def test_bytes_of_a_request_count_until_its_call_ends(name: str, narrow: Limited) -> None:
    face, served = narrow.face(name)
    if not face.can(method_of("Wait")):
        assert name.startswith("rest"), "another framing of REST's streams"
        return
    keys = [f"{name}-{next(_numbers)}-{'x' * 900_000}" for _ in range(2)]
    async with asyncio.timeout(PATIENCE):
        first = asyncio.ensure_future(face.call("Wait", each(pb.WaitRequest(key=keys[0]))))
        await served.kitchen.waiting[keys[0]].wait()
        assert 900_000 <= held(served.gateway)[1] <= 1_000_000
        refused = await face.call("Wait", each(pb.WaitRequest(key=keys[1])))
        assert refused.code == "UNAVAILABLE"
        assert reasons(refused)["ErrorInfo"]["reason"] == "SERVER_OVERLOADED"
        assert reasons(refused)["RetryInfo"]["retryDelay"] == "1s"
        served.kitchen.released[keys[0]].set()
        assert (await first).code == "OK"
        await quiet(served.gateway)
