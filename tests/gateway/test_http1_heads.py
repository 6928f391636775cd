"""Heads of requests (RFC 9112 sections 2, 3 and 5): lines, names and values that a server must refuse or understand."""

from __future__ import annotations

import pytest

from tests.gateway.http1_client import EITHER, LAST, REFUSED, SERVED, Listener, get, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")


# Header fields.


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b"a: b\r\n", SERVED),
        (b"a:b\r\n", SERVED),
        (b"a:\r\n", SERVED),
        (b"a:  b\t c \r\n", SERVED),
        (b"a: \xff\xc3\xbc\r\n", SERVED),  # RFC 9110 section 5.5: opaque bytes
        (b"!#$%&'*+-.^_`|~09azAZ: b\r\n", SERVED),  # every kind of character of a token
        (b"a\r\n", REFUSED),
        (b": b\r\n", REFUSED),
        (b" a: b\r\n", EITHER),
        (b"a : b\r\n", REFUSED),
        (b"a\t: b\r\n", REFUSED),
        (b"a b: c\r\n", REFUSED),
        (b"a\x00: b\r\n", REFUSED),
        (b"a\x01: b\r\n", REFUSED),
        (b"a\x7f: b\r\n", REFUSED),
        (b"a\x80: b\r\n", REFUSED),
        (b"a\xe9: b\r\n", REFUSED),
        *((b"a%c: b\r\n" % byte, REFUSED) for byte in b'()<>@,;\\"/[]?={}'),
        (b"a: b\x00c\r\n", REFUSED),
        *((b"a: b%cc\r\n" % byte, EITHER) for byte in b"\x01\x08\x0b\x0c\x1b\x1f\x7f"),  # may be kept, says section 5.5
        (b"a: b\rc\r\n", REFUSED),
        (b"a: b\r\r\n", REFUSED),
        (b"a\r: b\r\n", REFUSED),
        (b"a: b\r\n c\r\n", EITHER),  # RFC 9112 section 5.2: refused, or joined with spaces
        (b"a: b\r\n\tc\r\n", EITHER),
        (b"a:\r\n b\r\n", EITHER),
        (b"a: b\r\n \r\n", EITHER),
        (b"a: b\n", EITHER),  # RFC 9112 section 2.2: LF alone may end a line
        (b"a: b\nc: d\r\n", EITHER),
        (b"a: b\r\n\n", REFUSED),  # another request would begin here, without a line of its own
    ],
    ids=repr,
)
async def test_a_field(listener: Listener, line: bytes, outcome: str) -> None:
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n" + line + b"\r\n", outcome, "7")


async def test_the_first_line_behind_the_request_line_is_not_folded_into_it(listener: Listener) -> None:
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\r\n a: b\r\nhost: x\r\n\r\n", REFUSED)


async def test_lines_that_end_with_lf(listener: Listener) -> None:
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\nhost: x\n\n", EITHER, "7")
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\n", EITHER, "7")
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\nhost: x\r\n\r\n", EITHER, "7")


async def test_a_head_without_end_is_never_executed() -> None:
    async with listening(header_seconds=0.05) as listener:
        for end in (b"", b"\r", b"a: b\r\n", b"\n\r"):
            found = await listener.exchange(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n" + end)
            assert [answer.status for answer in found] in ([408], [400])
            assert listener.executed == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n" + b"a" * 70_000 + b": b\r\n\r\n",
        b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
        b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 12_000 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/dishes/7?" + b"a=b&" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["a name", "a value", "many fields", "a path", "a query"],
)
async def test_a_head_above_64_kib_is_refused(listener: Listener, head: bytes) -> None:
    found = await listener.exchange(head + LAST)
    assert [answer.status for answer in found] in ([431], [414])
    assert "65536" in found[0].error["message"]
    assert listener.executed == []


async def test_a_head_of_many_small_fields_is_refused(listener: Listener) -> None:
    """Each takes memory besides its bytes: sixteen thousand of them fit into 64 KiB."""
    for count, status in ((2000, 200), (3000, 431), (14_000, 431)):
        found = await listener.exchange(
            b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n" + b"a:\r\n" * count + b"\r\n" + LAST
        )
        assert found[0].status == status, count


# Request lines.


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b"GET /v1/dishes/7 HTTP/1.1", SERVED),
        (b"GET /v1/dishes/7? HTTP/1.1", SERVED),
        (b"GET /v1/dishes/%37 HTTP/1.1", SERVED),
        (b"GET http://x/v1/dishes/7 HTTP/1.1", SERVED),  # RFC 9112 section 3.2.2: every server must accept it
        (b"GET HTTP://x:80/v1/dishes/7 HTTP/1.1", SERVED),
        (b"GET /v1/dishes/7 HTTP/1.1 ", REFUSED),
        (b"GET /v1/dishes/7 HTTP/1.1 x", REFUSED),
        (b"GET /v1/dishes/7 HTTP/1.1\x00", REFUSED),
        (b"GET /v1/dishes/7 HTTP/1.1\r", REFUSED),
        (b"GET\t/v1/dishes/7\tHTTP/1.1", EITHER),  # RFC 9112 section 3: white space may be taken for one space
        (b"GET /v1/dishes/7\tHTTP/1.1", EITHER),
        (b"GET\x0b/v1/dishes/7 HTTP/1.1", EITHER),
        (b" GET /v1/dishes/7 HTTP/1.1", REFUSED),
        (b"GET/v1/dishes/7 HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/7 ", REFUSED),
        (b"GET ", REFUSED),
        (b"GET", REFUSED),
        (b"GET /v1/dishes/a b HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/a\x00b HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/a\x01b HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/a\x7fb HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/a\rb HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/a\nb HTTP/1.1", REFUSED),
        (b"GET /v1/dishes/\xc3\xbc HTTP/1.1", REFUSED),
        (b"GET v1/dishes/7 HTTP/1.1", REFUSED),
        (b"GET ? HTTP/1.1", REFUSED),
        (b"GET x:80 HTTP/1.1", REFUSED),
        (b"GET http:///v1/dishes/7 HTTP/1.1", REFUSED),  # a host must not be empty
        (b"CONNECT x:80 HTTP/1.1", REFUSED),
        (b"G@T /v1/dishes/7 HTTP/1.1", REFUSED),
        (b"GE\x00T /v1/dishes/7 HTTP/1.1", REFUSED),
        (b"get /v1/dishes/7 HTTP/1.1", REFUSED),  # methods are case-sensitive
        (b"BREW /v1/dishes/7 HTTP/1.1", REFUSED),
        (b"G" * 70_000 + b" /v1/dishes/7 HTTP/1.1", REFUSED),
        (b"\x16\x03\x01\x02\x00", REFUSED),  # TLS
        (b"HTTP/1.1 200 OK", REFUSED),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
async def test_a_request_line(listener: Listener, line: bytes, outcome: str) -> None:
    await listener.judged(line + b"\r\nhost: x\r\n\r\n", outcome, "7")


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        (b"HTTP/1.1", SERVED),
        (b"HTTP/1.2", EITHER),  # RFC 9110 section 2.5: a higher minor version is understood as the highest known
        (b"HTTP/1.9", EITHER),
        (b"HTTP/3.0", REFUSED),
        (b"HTTP/9.9", REFUSED),
        (b"HTTP/1.10", REFUSED),
        (b"HTTP/01.1", REFUSED),
        (b"HTTP/11", REFUSED),
        (b"HTTP/1.", REFUSED),
        (b"HTTP/1", REFUSED),
        (b"HTTP/", REFUSED),
        (b"HTTP/1,1", REFUSED),
        (b"HTTP/x.y", REFUSED),
        (b"HTTP/-1.1", REFUSED),
        (b"http/1.1", REFUSED),
        (b"HTTP /1.1", REFUSED),
        (b"ICE/1.0", REFUSED),
        (b"SHTTP/1.1", REFUSED),
    ],
)
async def test_a_version(listener: Listener, version: bytes, outcome: str) -> None:
    await listener.judged(b"GET /v1/dishes/7 " + version + b"\r\nhost: x\r\n\r\n", outcome, "7")


async def test_empty_lines_before_a_request(listener: Listener) -> None:
    """RFC 9112 section 2.2: old clients send one behind a body."""
    await listener.judged(b"\r\n" + get("7"), SERVED, "7")
    await listener.judged(get("7").replace(b"\r\n\r\n", b"\r\n\r\n\r\n"), SERVED, "7")


@pytest.mark.parametrize(
    "host", [b"x", b"example.com:80", b"127.0.0.1", b"[::1]:80", b"x:", b"a-b.c_d", b"XN--BCHER-KVA.example", b"x."]
)
async def test_a_valid_host(listener: Listener, host: bytes) -> None:
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: " + host + b"\r\n\r\n", SERVED, "7")


async def test_http_1_0_needs_no_host(listener: Listener) -> None:
    found = await listener.exchange(b"GET /v1/dishes/7 HTTP/1.0\r\n\r\n")
    assert [answer.status for answer in found] == [200]
    assert listener.executed == ["7"]
