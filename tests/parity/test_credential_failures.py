"""Wrong credentials from one address, by every face: after too many, all are refused unchecked for a while."""

from __future__ import annotations

import pytest

from diptych.auth import hash_key, new_key
from diptych.settings.limits import LimitsSettings
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import ENGINES, serving
from tests.parity.faces import Face, Metadata, each
from tests.parity.faces.grpc import GrpcFace
from tests.parity.registry import FACES

KEY = new_key("chef")
AUTH = {"api_keys": {"chef": {"hash": hash_key(KEY)}}}
RIGHT: Metadata = (("x-api-key", KEY),)
WRONG: Metadata = (("x-api-key", f"{KEY}x"),)
MOST = 3
OWN = [
    *("grpc", "grpcio", "native"),
    *(name for name, door in FACES.items() if not door.driver and not name.startswith("python-")),
]


async def code(face: Face, metadata: Metadata) -> tuple[str, list[str]]:
    """Returns how a call ends, and why."""
    method, request = ("GetDish", pb.GetDishRequest(dish_id="1"))
    if "websocket" in face.name:
        method, request = ("Tick", pb.TickRequest(count=1))  # type: ignore[assignment]
    outcome = await face.call(method, each(request), metadata=metadata)
    return outcome.code, [str(detail.get("reason") or detail["@type"].rpartition(".")[2]) for detail in outcome.details]


@pytest.mark.parametrize("name", OWN)
async def test_too_many_wrong_credentials_are_refused_unchecked(name: str) -> None:
    door = FACES.get(name)
    engine = name if name in ENGINES else "single-port" if door is not None and door.single_port else "builtin"
    async with serving(auth=AUTH, limits={"wrong_credentials": f"{MOST}/hour"}, **ENGINES[engine]) as served:
        face = GrpcFace(name, served.channel) if door is None else door.make(served, None)
        assert await code(face, RIGHT) == ("OK", [])
        for _ in range(MOST):
            assert await code(face, ()) == ("UNAUTHENTICATED", ["CREDENTIALS_MISSING"]), "it is no guess"
            assert await code(face, WRONG) == ("UNAUTHENTICATED", ["CREDENTIALS_INVALID"])
        for metadata in (WRONG, RIGHT):  # the answer does not reveal the right one among many
            assert await code(face, metadata) == ("RESOURCE_EXHAUSTED", ["RATE_LIMIT_EXCEEDED", "RetryInfo"])
        assert await code(face, ()) == ("UNAUTHENTICATED", ["CREDENTIALS_MISSING"])


async def test_pages_and_calls_of_an_address_share_one_count() -> None:
    limits = {"wrong_credentials": f"{MOST}/hour"}
    async with serving(auth=AUTH, limits=limits, trusted_proxies=["127.0.0.1"]) as served:

        async def ask(path: str, address: str, key: str) -> tuple[int, str | None]:
            headers = {"x-forwarded-for": address, "x-api-key": key}
            answer = await served.http.get(path, headers=headers)
            return answer.status_code, answer.headers.get("retry-after")

        for path in ("/docs", "/v1/dishes/1", "/openapi.json"):
            assert await ask(path, "192.0.2.1", f"{KEY}x") == (401, None)
        for path in ("/docs", "/v1/dishes/1"):
            status, again = await ask(path, "192.0.2.1", KEY)
            assert status == 429
            assert 0 < int(again or 0) <= 3600
            assert await ask(path, "192.0.2.2", KEY) == (200, None)


@pytest.mark.parametrize("rate", ["often", "0/minute", "20"])
def test_an_invalid_rate_is_reported_without_its_value(rate: str) -> None:
    with pytest.raises(ValueError, match="invalid wrong_credentials; expected a rate such as 100/minute") as told:
        LimitsSettings(wrong_credentials=rate)
    assert f"'{rate}'" not in str(told.value)
