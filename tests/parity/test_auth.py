"""Authentication by every face: the same credentials get the same answer over each protocol."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from diptych import principal
from diptych.auth import hash_key, new_key
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.clients.driver import Driver
from tests.conftest import ENGINES, Served, serving
from tests.gateway.issuer import AUDIENCE, ISSUER, document, key_of, public, token
from tests.kitchen import Kitchen
from tests.parity.conftest import Kitchens, faces
from tests.parity.faces import Face, Metadata, each
from tests.parity.faces.grpc import GrpcFace
from tests.parity.outcome import Outcome, method_of
from tests.parity.registry import FACES

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY, WEAK, EXPIRED, REVOKED = (new_key(name) for name in ("chef", "guest", "old", "gone"))
SERVICE = "/kitchen.v1.KitchenService"


class Watched(Kitchen):
    """A kitchen that reports its caller, also in plain functions."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: list[Any] = []

    def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:  # type: ignore[override]
        self.callers.append(principal())
        return pb.Dish(id=request.dish_id)

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        self.callers.append(principal())
        async for answer in super().Tick(request, context):
            yield answer

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        self.callers.append(principal())
        return await super().Sum(request_iterator, context)


@dataclass(frozen=True)
class Guarded:
    """The gateways by the needs of a face."""

    two_ports: Served
    single_port: Served
    grpcio: Served
    native: Served
    cross_origin: Served

    def face(self, name: str, driver: Driver | None = None) -> tuple[Face, Served]:
        own = {"grpc": self.two_ports, "grpcio": self.grpcio, "native": self.native}
        if name in own:
            served = own[name]
            return GrpcFace(name, served.channel), served
        spec = FACES[name]
        pages = self.cross_origin if spec.driver == "page" else self.two_ports
        served = self.single_port if spec.single_port else pages
        return spec.make(served, driver), served


@pytest.fixture(scope="session")
def key_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("auth") / "keys.json"
    path.write_bytes(document(public("one"), public("curve", "ES256")))
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guarded(key_set: Path, kitchens: Kitchens) -> AsyncIterator[Guarded]:
    auth = {
        "api_keys": {
            "chef": {"hash": hash_key(KEY), "scopes": ["cook"]},
            "guest": {"hash": hash_key(WEAK)},
            "old": {"hash": hash_key(EXPIRED), "scopes": ["cook"], "expires": "2020-01-01T00:00:00Z"},
        },
        "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_file": key_set},
        "rules": [{"methods": f"{SERVICE}/*", "scopes": ["cook"]}],
    }
    async with (
        serving(Watched(), auth=auth) as two_ports,
        serving(Watched(), auth=auth, **ENGINES["single-port"]) as single_port,
        serving(Watched(), auth=auth, **ENGINES["grpcio"]) as grpcio,
        serving(Watched(), auth=auth, **ENGINES["native"]) as native,
        serving(Watched(), auth=auth, cors_origins=(kitchens.page.origin,)) as cross_origin,
    ):
        yield Guarded(two_ports, single_port, grpcio, native, cross_origin)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Credentials, and the end of a call with them."""

    name: str
    metadata: Metadata = ()
    code: str = "UNAUTHENTICATED"
    reason: str = "CREDENTIALS_INVALID"
    message: str = ""
    caller: str = ""

    def __str__(self) -> str:
        return self.name


def bearer(text: str) -> Metadata:
    return (("authorization", f"Bearer {text}"),)


def forged() -> str:
    return token("one", key=key_of("stranger"), scope="cook", exp=LATER)


NOW = int(time.time())
LATER = NOW + 86400  # later than the last test of a run, since these tokens are created before the first
CASES = [
    Case(name="none", reason="CREDENTIALS_MISSING"),
    Case(name="other-scheme", metadata=(("authorization", "Basic YTpi"),), reason="CREDENTIALS_MISSING"),
    Case(name="bad-key", metadata=(("x-api-key", f"{KEY}x"),), message="unknown API key"),
    Case(name="key-of-nobody", metadata=(("x-api-key", REVOKED),), message="unknown API key"),
    Case(name="empty-key", metadata=(("x-api-key", ""),), message="unknown API key"),
    Case(name="expired-key", metadata=(("x-api-key", EXPIRED),), message="the API key has expired"),
    Case(name="bad-token", metadata=bearer(forged()), message="the token is not valid"),
    Case(name="expired-token", metadata=bearer(token(exp=NOW - 99)), message="the token has expired"),
    Case(
        name="wrong-audience", metadata=bearer(token(aud="x", exp=LATER)), message="the token is for another audience"
    ),
    Case(name="wrong-issuer", metadata=bearer(token(iss="x", exp=LATER)), message="the token is from another issuer"),
    Case(name="two-kinds", metadata=(*bearer(token(scope="cook", exp=LATER)), ("x-api-key", KEY))),
    Case(name="no-scope-key", metadata=(("x-api-key", WEAK),), code="PERMISSION_DENIED", reason="SCOPE_MISSING"),
    Case(name="no-scope-token", metadata=bearer(token(exp=LATER)), code="PERMISSION_DENIED", reason="SCOPE_MISSING"),
    Case(name="right-key", metadata=(("x-api-key", KEY),), code="OK", caller="chef"),
    Case(name="right-key-as-bearer", metadata=bearer(KEY), code="OK", caller="chef"),
    Case(name="right-token", metadata=bearer(token(scope="read cook", exp=LATER)), code="OK", caller="ada"),
    Case(
        name="right-curve",
        metadata=bearer(token("curve", "ES256", sub="eve", scope="cook", exp=LATER)),
        code="OK",
        caller="eve",
    ),
]
# Third-party clients must be able to send credentials and read why they were refused.
SHOWN = [
    case
    for case in CASES
    if case.name in {"none", "bad-key", "key-of-nobody", "expired-token", "wrong-audience", "no-scope-token"}
    or case.code == "OK"
]
OWN = [name for name, spec in FACES.items() if not spec.driver and not name.startswith("python-")]
OTHERS = [one for one in faces() if one.values[0] not in ("grpc", "builtin", *OWN)]


async def calls(face: Face, metadata: Metadata) -> list[Outcome]:
    """Yields a call of each kind that the face supports."""
    requests: dict[str, list[Message]] = {
        "GetDish": [pb.GetDishRequest(dish_id="1")],
        "Tick": [pb.TickRequest(count=2)],
        "Sum": [pb.TickResponse(number=1)],
    }
    return [
        await face.call(method, each(*given), metadata=metadata)
        for method, given in requests.items()
        if face.can(method_of(method))
    ]


@pytest.mark.parametrize("name", ["grpc", "grpcio", "native", *OWN])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_credentials_are_the_same_to_every_face(case: Case, name: str, guarded: Guarded) -> None:
    face, served = guarded.face(name)
    served.kitchen.callers.clear()
    outcomes = await calls(face, case.metadata)
    assert outcomes
    callers = [None if one is None else one.id for one in served.kitchen.callers]
    if case.code == "OK":
        assert {outcome.code for outcome in outcomes} == {"OK"}
        assert callers == [case.caller] * len(outcomes)
        return
    assert not callers, "no servicer sees a call that is refused"
    for outcome in outcomes:
        assert outcome.code == case.code
        assert outcome.message == case.message or not case.message
        [info] = outcome.details
        assert (info["reason"], info["domain"]) == (case.reason, "diptych")
        if case.code == "PERMISSION_DENIED":
            assert info["metadata"]["scopes"] == "cook"
            assert outcome.message == "the caller lacks the scope cook"
        challenge = str({**outcome.headers, **outcome.trailers}.get("www-authenticate", ""))
        assert challenge.startswith("Bearer")
        assert ("error=" in challenge) is (case.reason != "CREDENTIALS_MISSING")
        secrets = [str(value) for _, value in case.metadata if value]
        assert not [one for one in secrets if one.removeprefix("Bearer ") in str(dataclasses.asdict(outcome))]


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest, guarded: Guarded) -> tuple[Face, Served]:
    """A face of a third-party client, and the gateway it calls."""
    driver = FACES[request.param].driver
    return guarded.face(request.param, request.getfixturevalue(driver) if driver else None)


async def test_third_party_clients_send_credentials_and_read_refusals(
    other: tuple[Face, Served],
) -> None:
    face, served = other
    for case in SHOWN:
        served.kitchen.callers.clear()
        outcomes = await calls(face, case.metadata)
        assert outcomes
        assert {outcome.code for outcome in outcomes} == {case.code}, case.name
        callers = [one and one.id for one in served.kitchen.callers]
        assert callers == ([case.caller] * len(outcomes) if case.code == "OK" else []), case.name
        for outcome in outcomes:
            assert outcome.message == case.message or not case.message
            assert [info["reason"] for info in outcome.details] == ([] if case.code == "OK" else [case.reason])
