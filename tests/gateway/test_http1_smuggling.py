"""Requests whose body's length is ambiguous (RFC 9112 section 6): what hides in a body is never executed.

A proxy in front that reads such a request differently would let its client slip a request past it. So it is refused and
the connection closed, unless the RFC says how long the body is.
"""

from __future__ import annotations

import pytest

from tests.gateway.http1_client import (
    BODY,
    EITHER,
    HIDDEN,
    LAST,
    POST,
    REFUSED,
    SERVED,
    Listener,
    chunked,
    get,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


LENGTH = b"content-length: %d\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
EMPTY_THEN_HIDDEN = b"0\r\n\r\n" + HIDDEN  # in chunks an empty body and a request; by its length a body


# Content-Length and Transfer-Encoding.


@pytest.mark.parametrize(
    "fields",
    [
        LENGTH % len(EMPTY_THEN_HIDDEN) + CHUNKED,
        CHUNKED + LENGTH % len(EMPTY_THEN_HIDDEN),
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"x: y\r\n" + CHUNKED,
        CHUNKED + b"x: y\r\n" + LENGTH % len(EMPTY_THEN_HIDDEN),
        CHUNKED + LENGTH % len(EMPTY_THEN_HIDDEN) + CHUNKED,
        LENGTH % len(EMPTY_THEN_HIDDEN) + CHUNKED + LENGTH % len(EMPTY_THEN_HIDDEN),
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"Transfer-Encoding:chunked\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"transfer-encoding: xchunked\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"transfer-encoding: identity\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"transfer-encoding: chunked, identity\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"transfer-encoding:\x0bchunked\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"transfer-encoding:\r\n chunked\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"transfer-encoding : chunked\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"x: y\rtransfer-encoding: chunked\r\n",
        LENGTH % len(EMPTY_THEN_HIDDEN) + b"x: y\ntransfer-encoding: chunked\r\n",
    ],
)
async def test_a_length_beside_a_transfer_coding_is_refused(listener: Listener, fields: bytes) -> None:
    await listener.judged(POST + fields + b"\r\n" + EMPTY_THEN_HIDDEN, REFUSED)


async def test_a_length_that_ends_before_the_chunks_is_refused(listener: Listener) -> None:
    for fields in (LENGTH % 0 + CHUNKED, CHUNKED + LENGTH % 0, CHUNKED + LENGTH % 4):
        await listener.judged(POST + fields + b"\r\n" + chunked(BODY), REFUSED)


@pytest.mark.parametrize(
    "fields",
    [
        LENGTH % len(BODY) + b"transfer_encoding: chunked\r\n",  # an underscore makes another name
        LENGTH % len(BODY) + b"content_length: 0\r\n",
        LENGTH % len(BODY) + b"te: chunked\r\n",
        LENGTH % len(BODY) + b"x-transfer-encoding: chunked\r\n",
    ],
)
async def test_names_that_only_resemble_them_mean_nothing(listener: Listener, fields: bytes) -> None:
    await listener.judged(POST + fields + b"\r\n" + BODY, SERVED)


# Content-Length.


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (b"19", SERVED),
        (b" 19", SERVED),
        (b"  19  ", SERVED),
        (b"\t19\t", SERVED),
        (b" 019", EITHER),  # digits, so a number
        (b" %b19" % (b"0" * 40), EITHER),
        (b" 19, 19", EITHER),  # RFC 9110 section 8.6: a list of equal numbers may be taken for one
        (b" 19,19", EITHER),
        (b" 19, 20", REFUSED),
        (b" 0, 19", REFUSED),
        (b"", REFUSED),
        (b" ", REFUSED),
        (b" +19", REFUSED),
        (b" -19", REFUSED),
        (b" -1", REFUSED),
        (b" 0x13", REFUSED),
        (b" 1 9", REFUSED),
        (b" 1\t9", REFUSED),
        (b" 1_9", REFUSED),  # Python's int takes it
        (b" \xb9", REFUSED),  # str.isdigit takes it
        (b" 19;", REFUSED),
        (b" 19,", REFUSED),
        (b" 19a", REFUSED),
        (b" 19.0", REFUSED),
        (b" 1e1", REFUSED),
        (b' "19"', REFUSED),
        (b" 19\x0b", REFUSED),
        (b" \x0c19", REFUSED),
        (b" 19\x00", REFUSED),
        (b" 19\r", REFUSED),
        (b" 18446744073709551635", REFUSED),  # 2^64 + 19
        (b" 340282366920938463463374607431768211475", REFUSED),  # 2^128 + 19
    ],
)
async def test_a_length_is_a_number_in_digits(listener: Listener, value: bytes, outcome: str) -> None:
    await listener.judged(POST + b"content-length:" + value + b"\r\n\r\n" + BODY, outcome)


@pytest.mark.parametrize(
    ("lengths", "outcome"),
    [((19, 19), EITHER), ((19, 60), REFUSED), ((60, 19), REFUSED), ((0, 19), REFUSED), ((19, 0), REFUSED)],
)
async def test_two_lengths_must_be_equal(listener: Listener, lengths: tuple[int, int], outcome: str) -> None:
    await listener.judged(POST + b"".join(LENGTH % length for length in lengths) + b"\r\n" + BODY, outcome)


# Transfer-Encoding.


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([b" chunked"], SERVED),
        ([b"chunked"], SERVED),
        ([b" Chunked"], SERVED),
        ([b" CHUNKED"], SERVED),
        ([b" chunked "], SERVED),
        ([b"\tchunked\t"], EITHER),
        ([b" ,chunked"], EITHER),  # RFC 9110 section 5.6.1: a list may have empty elements
        ([b" chunked,"], EITHER),
        ([b" chunked", b""], EITHER),
        ([b" chunked, chunked"], REFUSED),
        ([b" chunked", b" chunked"], REFUSED),
        ([b" chunked, identity"], REFUSED),
        ([b" chunked", b" identity"], REFUSED),
        ([b" chunked, gzip"], REFUSED),
        ([b" identity"], REFUSED),
        ([b" gzip"], REFUSED),
        ([b" chunk"], REFUSED),
        ([b" xchunked"], REFUSED),
        ([b" chunkedx"], REFUSED),
        ([b" chunked;x=1"], REFUSED),
        ([b" chunked x"], REFUSED),
        ([b' "chunked"'], REFUSED),
        ([b""], REFUSED),
        ([b"\x0bchunked"], REFUSED),
        ([b" chunked\x0b"], REFUSED),
        ([b" \x0cchunked"], REFUSED),
        ([b" chunked\x00"], REFUSED),
        ([b" ch\x00unked"], REFUSED),
        ([b" chunked\xa0"], REFUSED),
        ([b"\r\n chunked"], EITHER),  # RFC 9112 section 5.2: a folded line may be joined
        ([b" chunked\r"], REFUSED),
    ],
)
async def test_only_chunked_says_how_long_a_body_is(listener: Listener, values: list[bytes], outcome: str) -> None:
    fields = b"".join(b"transfer-encoding:%b\r\n" % value for value in values)
    await listener.judged(POST + fields + b"\r\n" + chunked(BODY), outcome)


async def test_a_space_before_the_colon_is_refused(listener: Listener) -> None:
    for name in (b"transfer-encoding ", b"transfer-encoding\t", b"transfer-encoding\x00", b" transfer-encoding"):
        await listener.judged(POST + name + b": chunked\r\n\r\n" + chunked(BODY), REFUSED)


@pytest.mark.parametrize("more", [b"", b"connection: keep-alive\r\n", b"connection: keep-alive\r\n" + LENGTH % 19])
async def test_chunks_of_http_1_0_end_the_connection(listener: Listener, more: bytes) -> None:
    """RFC 9112 section 6.1: a recipient of HTTP/1.0 in between may not have understood them."""
    request = (POST + CHUNKED + more + b"\r\n").replace(b"HTTP/1.1", b"HTTP/1.0") + chunked(BODY)
    found = await listener.exchange(request + HIDDEN)
    assert [answer.status for answer in found] in ([200], [400])
    assert "hidden" not in listener.executed


# Bodies of requests that do not read them.


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(
    "line",
    [
        "GET /v1/dishes/7",
        "HEAD /v1/dishes/7",
        "DELETE /v1/dishes/7",
        "OPTIONS /v1/dishes/7",
        "TRACE /v1/dishes/7",
        "GET /healthz",
        "POST /healthz",
        "GET /nowhere",
        "POST /nowhere",
        "DELETE /v1/wait",
        "POST /v1/echo",
        "POST /v1/sum",
        "POST /kitchen.v1.KitchenService/GetDish",
        "POST /kitchen.v1.KitchenService/Nothing",
    ],
)
async def test_a_request_in_another_one_s_body_is_not_executed(listener: Listener, line: str, framing: str) -> None:
    method = line.partition(" ")[0]
    fields, body = (LENGTH % len(HIDDEN), HIDDEN) if framing == "length" else (CHUNKED, chunked(HIDDEN))
    request = f"{line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode() + fields + b"\r\n" + body
    first, *rest = await listener.exchange(request + LAST, methods=[method])
    assert first.status in range(200, 500)
    assert [answer.status for answer in rest] in ([200], [])  # it may close instead of reading the rest
    assert listener.executed == ["last"] * len(rest)


@pytest.mark.parametrize("line", ["GET /v1/dishes/7", "POST /v1/echo", "POST /nowhere", "POST /v1/wait"])
async def test_a_body_that_is_refused_early_is_not_taken_for_a_request(listener: Listener, line: str) -> None:
    """The body is announced with a length above the limit; what the client sends of it is no request."""
    request = f"{line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode() + LENGTH % 10**9
    first, *rest = await listener.exchange(request + b"connection: close\r\n\r\n" + HIDDEN)
    assert first.status in (400, 404, 413)
    assert rest == []
    assert listener.executed == []


async def test_two_requests_are_two(listener: Listener) -> None:
    """The tests above would pass if the servicer's record were broken."""
    found = await listener.exchange(HIDDEN.replace(b"connection: close\r\n", b"") + get("7") + LAST)
    assert [answer.status for answer in found] == [200, 200, 200]
    assert listener.executed == ["hidden", "7", "last"]


@pytest.mark.parametrize("step", [1, 2, 7, 50, 10_000])
@pytest.mark.parametrize("spaces", [1, 2])
@pytest.mark.parametrize("uploads", [1, 2])
async def test_a_line_within_a_chunk_is_not_taken_for_the_next_request_s(
    listener: Listener, uploads: int, spaces: int, step: int
) -> None:
    """A proxy may read a request line with two spaces differently; one in the body before it looked like its own."""
    decoy = b"\r\n\r\nGET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r\n"
    body = b"1;a=b\r\nx\r\n" * 20 + b"%x\r\n%b\r\n" % (len(decoy), decoy) + b"0\r\na: b\r\n\r\n"
    head = b"POST /v1/mirror HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
    first = head + b"transfer-encoding: chunked\r\n\r\n" + body
    request = b"GET" + b" " * spaces + b"/v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r\n"
    sent = first * uploads + request + LAST
    found = await listener.exchange(*[sent[at : at + step] for at in range(0, len(sent), step)])
    mirrored = [f"mirror {b'x' * 20 + decoy!r}"] * uploads
    if spaces == 1:
        assert [answer.status for answer in found] == [200] * (uploads + 2)
        assert listener.executed == [*mirrored, "7", "last"]
    else:
        # Those before it are not served either if they wait behind another one.
        served = [answer.status for answer in found if answer.status != 400]
        assert served == [200] * len(served)
        assert listener.executed == mirrored[: len(served)]
