"""Pipelined requests of every kind, cut anywhere: answers come in order, each once (RFC 9112 section 9.3.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.http1_client import LAST, POST, Answer, Listener, chunked, get, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listener() -> AsyncIterator[Listener]:
    """The HTTP port of a gateway with its default settings."""
    async with listening() as one:
        yield one


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of request. Its bytes, answer and execution are told apart by a name."""

    method: str
    request: Callable[[str], bytes]
    status: int
    body: Callable[[str], object]
    """What the answer's body says: see `said`."""
    executed: Callable[[str], str | None] = lambda name: None


def echo(fields: bytes, framed: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
    return lambda name: POST + fields + framed(b'{"stringValue":"%b"}' % name.encode())


def sized(body: bytes) -> bytes:
    return b"content-length: %d\r\n\r\n" % len(body) + body


def in_pieces(body: bytes) -> bytes:
    ends = (body[:3], body[3:])
    return (
        b"transfer-encoding: chunked\r\n\r\n"
        + b"".join(b"%x;a=b\r\n%b\r\n" % (len(end), end) for end in ends)
        + b"0\r\n\r\n"
    )


def head(line: str, *fields: bytes) -> Callable[[str], bytes]:
    more = b"".join(b"%b\r\n" % field for field in fields)
    return lambda name: line.format(name=name).encode() + b" HTTP/1.1\r\nhost: x\r\n" + more + b"\r\n"


def said(answer: Answer) -> object:
    """The value that names the request, the error's status, how many messages a stream has, or None."""
    if not answer.body:
        return None
    if answer.headers["content-type"] != "application/json":
        return answer.body.count(b"\n")
    told = json.loads(answer.body)
    if "error" in told:
        return told["error"]["status"]
    return told.get("id") or told.get("stringValue") or told.get("number")


def same(name: str) -> str:
    return name


def echoed(name: str) -> str:
    return f"echo {name}"


SUM = b"POST /v1/sum HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
KINDS = {
    "get": Kind(method="GET", request=get, status=200, body=same, executed=same),
    "post": Kind(method="POST", request=echo(b"", sized), status=200, body=same, executed=echoed),
    "chunks": Kind(method="POST", request=echo(b"", in_pieces), status=200, body=same, executed=echoed),
    "expect": Kind(
        method="POST", request=echo(b"expect: 100-continue\r\n", sized), status=200, body=same, executed=echoed
    ),
    "keep-alive": Kind(
        method="GET", request=lambda name: get(name, b"connection: keep-alive"), status=200, body=same, executed=same
    ),
    "head": Kind(
        method="HEAD", request=head("HEAD /v1/dishes/{name}"), status=200, body=lambda name: None, executed=same
    ),
    "options": Kind(method="OPTIONS", request=head("OPTIONS /v1/dishes/{name}"), status=204, body=lambda name: None),
    "nowhere": Kind(method="GET", request=head("GET /nowhere/{name}"), status=404, body=lambda name: "NOT_FOUND"),
    "wrong verb": Kind(
        method="DELETE", request=head("DELETE /v1/wait?{name}"), status=405, body=lambda name: "UNIMPLEMENTED"
    ),
    "wrong body": Kind(
        method="POST",
        request=lambda name: POST + b"content-length: 9\r\n\r\nGET / HTT",
        status=400,
        body=lambda name: "INVALID_ARGUMENT",
    ),
    "stream": Kind(
        method="GET",
        request=head("GET /v1/ticks?count=3", b"accept: application/x-ndjson"),
        status=200,
        body=lambda name: 3,
    ),
    "client stream": Kind(
        method="POST",
        request=lambda name: SUM + chunked(b'{"number":"3"}\n{"number":"4"}\n'),
        status=200,
        body=lambda name: "7",
    ),
    "a page": Kind(method="GET", request=head("GET /healthz?{name}"), status=200, body=lambda name: None),
}

MALFORMED = {
    "nonsense": b"\x00\x01 nonsense\r\n\r\n",
    "two lengths": POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
    "length and chunks": POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": POST + b"transfer-encoding: chunked\r\n\r\nx\r\n",
    "a bad field": b"GET /v1/dishes/bad HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n",
}


def judge(found: list[Answer]) -> list[tuple[int, object]]:
    """What the answers are, to compare with `expected`."""
    return [(answer.status, said(answer)) for answer in found]


def expected(names: list[str]) -> tuple[list[bytes], list[tuple[int, object]], list[str], list[str]]:
    """The requests, their answers, what the servicer executes, and the methods."""
    kinds = [(KINDS[name], f"n{number}") for number, name in enumerate(names)]
    executed = [done for kind, name in kinds if (done := kind.executed(name)) is not None]
    return (
        [kind.request(name) for kind, name in kinds],
        [(kind.status, kind.body(name)) for kind, name in kinds],
        executed,
        [kind.method for kind, _ in kinds],
    )


def whole(data: bytes) -> list[bytes]:
    return [data]


def in_bytes(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


async def check(listener: Listener, names: list[str], cutting: Callable[[bytes], list[bytes]]) -> None:
    """Every request is answered and executed once, in order."""
    requests, statuses, executed, methods = expected(names)
    found = await listener.exchange(*cutting(b"".join(requests) + LAST), methods=methods)
    assert judge(found) == [*statuses, (200, "last")]
    assert listener.executed == [*executed, "last"]


MIX = list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
async def test_each_kind_between_two_others(listener: Listener, kind: str, pieces: str) -> None:
    await check(listener, ["get", kind, kind, "post"], in_bytes if pieces == "bytes" else whole)


@pytest.mark.parametrize("order", [MIX, MIX[::-1]], ids=["in order", "reversed"])
@pytest.mark.parametrize("cutting", [whole, in_bytes])
async def test_all_kinds_at_once(listener: Listener, order: list[str], cutting: Callable[[bytes], list[bytes]]) -> None:
    await check(listener, order, cutting)


async def test_a_cut_at_every_place(listener: Listener) -> None:
    names = ["post", "get", "chunks", "nowhere", "get"]
    length = len(b"".join(expected(names)[0]) + LAST)
    for place in range(1, length):
        await check(listener, names, partial(cut, places=[place]))


@settings(max_examples=60)
@given(
    names=st.lists(st.sampled_from(MIX), min_size=1, max_size=8),
    places=st.lists(st.integers(0, 5000), max_size=12),
)
async def test_any_mix_cut_anywhere(listener: Listener, names: list[str], places: list[int]) -> None:
    await check(listener, names, partial(cut, places=places))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "keep-alive"])
@pytest.mark.parametrize("cutting", [whole, in_bytes])
async def test_nothing_is_executed_behind_a_close(
    listener: Listener, kind: str, cutting: Callable[[bytes], list[bytes]]
) -> None:
    requests, statuses, executed, methods = expected(["get", kind])
    closing = requests[1].replace(b"host: x\r\n", b"host: x\r\nconnection: close\r\n")
    *pieces, last = cutting(requests[0] + closing)
    found = await listener.exchange(*pieces, last + get("behind"), methods=methods)
    assert judge(found) == statuses
    assert listener.executed == executed


@settings(max_examples=60)
@given(
    names=st.lists(st.sampled_from(MIX), max_size=5),
    broken=st.sampled_from(list(MALFORMED)),
    places=st.lists(st.integers(0, 5000), max_size=12),
)
async def test_a_malformed_request_ends_a_pipeline(
    listener: Listener, names: list[str], broken: str, places: list[int]
) -> None:
    """Those before it may be answered, in order; its own 400 is never taken for an answer to one of them."""
    requests, statuses, executed, methods = expected(names)
    data = b"".join(requests) + MALFORMED[broken] + get("behind")
    found = await listener.exchange(*cut(data, places), methods=[*methods, "GET"])
    answered = found[: len(names)]
    assert judge(answered) == statuses[: len(answered)]
    if len(found) > len(names):
        assert [answer.status for answer in found[len(names) :]] == [400]
    assert listener.executed == executed[: len(listener.executed)]
