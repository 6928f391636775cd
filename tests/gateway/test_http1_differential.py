"""Random requests, hostile and sound, read by the gateway and by h11: neither may see what the other does not.

The two stand for a server and the proxy before it. One of them may refuse more and stop earlier; but the requests that
both see are the same ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import h11
import pytest
import pytest_asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gateway.http1_client import BODY, HIDDEN, LAST, Listener, chunked, listening
from tests.gateway.test_http1_pipelines import cut

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listener() -> AsyncIterator[Listener]:
    """The HTTP port of a gateway with its default settings."""
    async with listening() as one:
        yield one


LINES = [
    b"GET /v1/dishes/%d HTTP/1.1",
    b"POST /v1/mirror HTTP/1.1",
    b"HEAD /v1/dishes/%d HTTP/1.1",
    b"OPTIONS /v1/dishes/%d HTTP/1.1",
    b"DELETE /v1/dishes/%d HTTP/1.1",
    b"GET /v1/dishes/%d HTTP/1.0",
    b"POST /v1/mirror HTTP/1.0",
    b"GET http://x/v1/dishes/%d HTTP/1.1",
]
FIELDS = [
    b"content-length: 0",
    b"content-length: 5",
    b"content-length: %d" % len(BODY),
    b"content-length: %d" % len(HIDDEN),
    b"content-length: %d" % len(chunked(HIDDEN)),
    b"content-length: 5, 5",
    b"content-length: +5",
    b"content-length: 5 5",
    b"Content-Length:5",
    b"content-length : 5",
    b"content-length: 00000000000000000005",
    b"transfer-encoding: chunked",
    b"transfer-encoding: Chunked",
    b"transfer-encoding: identity",
    b"transfer-encoding: chunked, chunked",
    b"transfer-encoding: xchunked",
    b"transfer-encoding:\x0bchunked",
    b"transfer-encoding : chunked",
    b"connection: close",
    b"connection: keep-alive",
    b"connection: close, x",
    b"connection: upgrade\r\nupgrade: foo",
    b"transfer-encoding: gzip, chunked",
    b"host: y",
    b"host: a b",
    b"expect: 100-continue",
    b"expect: x",
    b"a: b\r\n c",
    b"a: b\rc: d",
    b"a: b\nc: d",
    b"a: \x00",
    b"",
]
BODIES = [
    b"",
    BODY,
    HIDDEN,
    chunked(BODY),
    chunked(HIDDEN),
    chunked(chunked(HIDDEN)),
    b"0\r\n\r\n",
    b"0\r\n\r\n" + HIDDEN,
    b"0\r\na: b\r\n\r\n",
    b"0;a=b\r\n\r\n",
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"5;\r\nabcde\r\n0\r\n\r\n",
    b"5\nabcde\n0\n\n",
    b"05\r\nabcde\r\n0\r\n\r\n",
    b"-5\r\nabcde\r\n0\r\n\r\n",
    b"5\r\nabcde0\r\n\r\n",
    b"ffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
    b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
    b"\r\n",
    b"abcde",
]
SOUND = [
    (LINES[0], [], b""),
    (LINES[0], [b"content-length: 0"], b""),
    (LINES[1], [b"content-length: %d" % len(HIDDEN)], HIDDEN),
    (LINES[1], [b"transfer-encoding: chunked"], chunked(HIDDEN)),
    (LINES[1], [b"transfer-encoding: chunked", b"expect: 100-continue"], chunked(chunked(HIDDEN))),
    (LINES[0], [b"content-length: %d" % len(HIDDEN)], HIDDEN),
    (LINES[3], [], b""),
]
"""So that what follows them is read too."""
HOSTILE = st.tuples(st.sampled_from(LINES), st.lists(st.sampled_from(FIELDS), max_size=4), st.sampled_from(BODIES))
REQUESTS = st.lists(st.one_of(st.sampled_from(SOUND), HOSTILE), min_size=1, max_size=5)


def written(requests: list[tuple[bytes, list[bytes], bytes]]) -> bytes:
    """The bytes of the requests, each dish with the request's number."""
    return b"".join(
        b"\r\n".join([line.replace(b"%d", b"%d" % number), b"host: x", *fields, b"", body])
        for number, (line, fields, body) in enumerate(requests)
    )


def seen_by_h11(data: bytes) -> list[str]:
    """What a gateway executes that reads requests as h11 does, until an error or a close."""
    server, seen = h11.Connection(h11.SERVER, max_incomplete_event_size=10**6), []
    server.receive_data(data)
    method, target, body = b"", b"", b""
    with suppress(h11.RemoteProtocolError):
        while server.their_state is not h11.ERROR:
            event = server.next_event()
            if isinstance(event, h11.Request):
                method, target, body = event.method, event.target, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                if method == b"POST":
                    seen.append(f"mirror {body!r}")
                elif method in (b"GET", b"HEAD") and not body:  # with a body they are refused
                    seen.append(target.rpartition(b"/")[2].decode())
                server.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                server.send(h11.EndOfMessage())
                if server.our_state is not h11.DONE or server.their_state is not h11.DONE:
                    break
                server.start_next_cycle()
            else:  # it needs more data, or its client has left
                break
    return seen


@settings(max_examples=300)
@given(requests=REQUESTS, places=st.lists(st.integers(0, 1000), max_size=3))
@example(requests=[(LINES[0], [FIELDS[3]], HIDDEN)], places=[])
@example(requests=[(LINES[0], [FIELDS[11]], chunked(HIDDEN)), (LINES[0], [], b"")], places=[60])
async def test_both_see_the_same_requests(
    listener: Listener, requests: list[tuple[bytes, list[bytes], bytes]], places: list[int]
) -> None:
    data = written(requests) + LAST
    reference, executed = seen_by_h11(data), await listener.executes(*cut(data, places))
    shorter = min(len(reference), len(executed))
    assert executed[:shorter] == reference[:shorter]
