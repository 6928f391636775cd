"""Metrics, access-log lines and request ids of a call are the same by every face."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from prometheus_client.parser import text_string_to_metric_families

from diptych.auth import Credentials, Principal
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import ENGINES, Served, serving
from tests.parity.faces import Face, Metadata, each
from tests.parity.faces.grpc import GrpcFace
from tests.parity.outcome import SERVICE, Outcome, method_of
from tests.parity.registry import FACES

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROTOCOLS = {
    "grpc": "grpc",
    "grpcio": "grpc",
    "native": "grpc",
    "grpc-single-port": "grpc",
    "rest-ndjson-h1": "rest",
    "rest-array-h1": "rest",
    "rest-sse-h2": "rest",
    "websocket-json": "websocket",
    "websocket-proto": "websocket",
    "grpc-web-h1": "grpc-web",
    "grpc-web-text-h1": "grpc-web",
    "connect-json-h1": "connect",
    "connect-proto-gzip-h2": "connect",
}
"""Faces, and their protocol names in labels and log lines."""
TOKEN = "secret-of-the-house"  # no log may contain it


@dataclass(frozen=True)
class Seen:
    """One gateway's."""

    served: Served
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def series(self) -> dict[tuple[str, str], dict[str, float]]:
        """Returns values by (sample, protocol) and the remaining labels."""
        text = (await self.served.http.get("/metrics")).text
        found: dict[tuple[str, str], dict[str, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = dict(sample.labels)
                protocol, method = labels.pop("protocol", ""), labels.pop("grpc_method", "")
                rest = ".".join([method, *([labels["grpc_code"]] if "grpc_code" in labels else [])])
                if "le" not in labels:
                    found.setdefault((sample.name, protocol), {})[rest] = sample.value
        return found

    async def when(self, holds: Callable[[dict[tuple[str, str], dict[str, float]]], bool]) -> None:
        """Scrapes until the condition holds: a client may see its call end before the server records it."""
        async with asyncio.timeout(20):
            while not holds(await self.series()):
                pass

    async def line(self, key: str) -> dict[str, Any]:
        """Returns the access-log line of the call with the id `key`."""
        async with asyncio.timeout(20):
            while not (found := [line for line in self.lines if line["request_id"] == key]):
                await self.served.http.get("/healthz")
        (one,) = found
        return one


@dataclass(frozen=True)
class Watched:
    """The gateways by the needs of a face."""

    two_ports: Seen
    single_port: Seen
    grpcio: Seen
    native: Seen

    def face(self, name: str) -> tuple[Face, Seen]:
        own = {"grpc": self.two_ports, "grpcio": self.grpcio, "native": self.native}
        if name in own:
            seen = own[name]
            return GrpcFace(name, seen.served.channel), seen
        door = FACES[name]
        seen = self.single_port if door.single_port else self.two_ports
        return door.make(seen.served, None), seen


class Named:
    """Trusts any name that a caller gives."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        named = dict(credentials.metadata).get("x-caller")
        return None if named is None else Principal(id=str(named), kind="named")


class _Lines(logging.Handler):
    """Keeps the access-log lines by gateway, which the port of their peers identifies."""

    def __init__(self) -> None:
        super().__init__()
        self.to: list[list[dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        for lines in self.to:
            lines.append(vars(record)["call"])


@pytest.fixture(scope="session")
def access_lines() -> Iterator[_Lines]:
    logger, handler = logging.getLogger("diptych.access"), _Lines()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(before)
    logger.removeHandler(handler)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def watched(access_lines: _Lines) -> AsyncIterator[Watched]:
    telemetry: dict[str, Any] = {
        "telemetry": {"access_log": True},
        "auth": {"public_methods": ["/*"], "metrics_public": True},
        "gateway": {"authenticators": [Named()]},
    }
    async with (
        serving(**telemetry) as two_ports,
        serving(**telemetry, **ENGINES["single-port"]) as single_port,
        serving(**telemetry, **ENGINES["grpcio"]) as grpcio,
        serving(**telemetry, **ENGINES["native"]) as native,
    ):
        made = Watched(Seen(two_ports), Seen(single_port), Seen(grpcio), Seen(native))
        access_lines.to = [one.lines for one in (made.two_ports, made.single_port, made.grpcio, made.native)]
        yield made


@dataclass(frozen=True)
class Case:
    """A call, and the metrics that it changes."""

    method: str
    requests: tuple[Message, ...]
    kind: str
    code: str = "OK"
    came: int = 1
    went: int = 1

    def __str__(self) -> str:
        return f"{self.method}-{self.code}"


def tick(number: int) -> pb.TickResponse:
    return pb.TickResponse(number=number, text="t")


CASES = [
    Case("GetDish", (pb.GetDishRequest(dish_id="1"),), "unary"),
    Case("GetDish", (pb.GetDishRequest(dish_id="missing"),), "unary", code="NOT_FOUND", went=0),
    Case("Fail", (pb.FailRequest(code=9, how="set_code"),), "unary", code="FAILED_PRECONDITION", went=0),
    Case("Tick", (pb.TickRequest(count=3),), "server_stream", went=3),
    Case("Tick", (pb.TickRequest(count=3, fail_after=2),), "server_stream", code="DATA_LOSS", went=2),
    Case("Sum", (tick(1), tick(2)), "client_stream", came=2),
    Case("Converse", (tick(1), tick(2)), "bidi_stream", came=2, went=2),
]


async def ask(face: Face, case: Case, metadata: Metadata = ()) -> Outcome:
    return await face.call(case.method, each(*case.requests), metadata=metadata, seconds=20)


@pytest.mark.parametrize("name", PROTOCOLS)
async def test_a_call_is_counted_alike_by_every_face(watched: Watched, name: str) -> None:
    face, seen = watched.face(name)
    protocol, asked = PROTOCOLS[name], [case for case in CASES if face.can(method_of(case.method))]
    assert asked
    for case in asked:
        before = await seen.series()
        assert (await ask(face, case)).code == case.code

        def risen(family: str, label: str, since: Any = before, now: Any = None) -> float:
            where = family, protocol
            return float(now.get(where, {}).get(label, 0) - since.get(where, {}).get(label, 0))

        handled = f"{case.method}.{case.code}"
        await seen.when(lambda now, handled=handled: risen("grpc_server_handled_total", handled, now=now) == 1)  # type: ignore[misc]
        now = await seen.series()
        method = case.method
        found = {
            "started": risen("grpc_server_started_total", method, now=now),
            "timed": risen("grpc_server_handling_seconds_count", method, now=now),
            "came": risen("grpc_server_msg_received_total", method, now=now),
            "went": risen("grpc_server_msg_sent_total", method, now=now),
            "streams": risen("diptych_stream_responses_sum", method, now=now),
            "in flight": now["diptych_calls_in_flight", protocol][method],
            "bytes out": risen("diptych_response_bytes_total", method, now=now) > 0,
        }
        streams = case.went if case.kind != "unary" else 0
        assert found == {
            "started": 1,
            "timed": 1,
            "came": case.came,
            "went": case.went,
            "streams": streams,
            "in flight": 0,
            "bytes out": case.went > 0,
        }, str(case)


@pytest.mark.parametrize("name", PROTOCOLS)
async def test_a_line_of_the_access_log_says_whose_call_it_was(watched: Watched, name: str) -> None:
    face, seen = watched.face(name)
    for number, case in enumerate(case for case in CASES if face.can(method_of(case.method))):
        key, caller = f"id-of-{name}-{case}", ("chef", None)[number % 2]
        sent = [("x-request-id", key), ("authorization", f"Bearer {TOKEN}"), ("x-asked", TOKEN)]
        if caller is not None:
            sent.append(("x-caller", caller))
        outcome = await ask(face, case, sent)
        if name != "native" or case.went:  # the native engine sends no initial metadata with a unary call's error
            assert outcome.headers["x-request-id"] == key
        line = await seen.line(key)
        assert {name: line[name] for name in ("protocol", "service", "method", "code", "principal")} == {
            "protocol": PROTOCOLS[name],
            "service": SERVICE.full_name,
            "method": case.method,
            "code": case.code,
            "principal": caller,
        }
        assert line["duration_ms"] >= 0
        assert (line["response_bytes"] > 0) == (case.went > 0)
        # Ticks and specials with only defaults may have no bytes, and a GET has no body.
        assert line["request_bytes"] > 0 or (PROTOCOLS[name], case.method) in {
            ("rest", "GetDish"),
            ("rest", "Tick"),
            ("websocket", "Tick"),
        }
        assert line["peer"].startswith(("ipv4:127.0.0.1:", "unix:"))
        assert TOKEN not in repr(line)


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if not name.startswith("websocket")])
@pytest.mark.parametrize("given", ["", "x" * 129, "two words"])
async def test_an_invalid_id_is_replaced(watched: Watched, name: str, given: str) -> None:
    face, _ = watched.face(name)
    case = CASES[3]  # a stream, which each face supports
    first, second = [(await ask(face, case, [("x-request-id", given)])).headers["x-request-id"] for _ in range(2)]
    assert len(first) == 16
    assert given not in (first, second)
    assert first != second


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if "array" not in name])
async def test_a_cancelled_call_is_counted_once(watched: Watched, name: str) -> None:
    face, seen = watched.face(name)
    key, protocol = f"cancelled-{name}", PROTOCOLS[name]
    request = pb.TickRequest(count=5, key=key)
    label = "Tick.CANCELLED"

    def cancelled(series: dict[tuple[str, str], dict[str, float]]) -> float:
        return series.get(("grpc_server_handled_total", protocol), {}).get(label, 0.0)

    before = cancelled(await seen.series())
    calling = asyncio.ensure_future(face.call("Tick", each(request), metadata=[("x-request-id", key)]))
    async with asyncio.timeout(20):
        await seen.served.kitchen.waiting[key].wait()
    assert (await seen.series())["diptych_calls_in_flight", protocol]["Tick"] == 1
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    await seen.when(lambda now: cancelled(now) == before + 1)
    assert (await seen.series())["diptych_calls_in_flight", protocol]["Tick"] == 0
    assert (await seen.line(key))["code"] == "CANCELLED"


async def test_unknown_methods_make_one_series(watched: Watched) -> None:
    for seen in (watched.two_ports, watched.grpcio, watched.native, watched.single_port):
        for path in ("/no.Such/Method", "/nor.This/One"):
            with pytest.raises(Exception, match="Method not found!"):
                await seen.served.channel.unary_unary(path)(b"")  # type: ignore[arg-type]
        series = await seen.series()
        assert series["grpc_server_handled_total", "grpc"]["unknown.UNIMPLEMENTED"] >= 2
        assert not [label for label in series["grpc_server_started_total", "grpc"] if "Method" in label]


async def test_unmatched_requests_are_counted_by_status(watched: Watched) -> None:
    http = watched.two_ports.served.http
    assert (await http.get("/nothing/here")).status_code == 404
    assert (await http.delete("/v1/inspect")).status_code == 405
    text = (await http.get("/metrics")).text
    assert 'diptych_http_unmatched_total{status="404"}' in text
    assert 'diptych_http_unmatched_total{status="405"}' in text
