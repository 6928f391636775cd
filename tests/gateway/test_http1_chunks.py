"""Bodies in chunks (RFC 9112 section 7): sizes, extensions, line ends and trailers."""

from __future__ import annotations

import pytest

from tests.gateway.http1_client import BODY, EITHER, HIDDEN, LAST, POST, REFUSED, SERVED, Listener, get, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")


HEAD = POST + b"transfer-encoding: chunked\r\n\r\n"
SIZE = b"%x" % len(BODY)
REST = b"\r\n" + BODY + b"\r\n0\r\n\r\n"  # what follows the first chunk's size and extensions
CHUNK = SIZE + b"\r\n" + BODY + b"\r\n"


@pytest.mark.parametrize(
    ("size", "outcome"),
    [
        (b"13", SERVED),
        (b"0013", SERVED),
        (b"0" * 30 + b"13", EITHER),
        (b"+13", REFUSED),
        (b"-13", REFUSED),
        (b"0x13", REFUSED),
        (b"1_3", REFUSED),
        (b" 13", REFUSED),
        (b"\t13", REFUSED),
        (b"1 3", REFUSED),
        (b"13 ", EITHER),  # only before an extension, but old servers pad sizes (Apache's did)
        (b"13\t", EITHER),
        (b"13\x0b", REFUSED),
        (b"13\x00", REFUSED),
        (b"13,", REFUSED),
        (b"13h", REFUSED),
        (b"g", REFUSED),
        (b"", REFUSED),
        (b"\xb9", REFUSED),
        (b"10000000000000013", REFUSED),  # 2^64 + 19
        (b"100000000000000000000000000000013", REFUSED),  # 2^128 + 19
        (b"12", REFUSED),  # too short: the line end is not where it must be
        (b"14", REFUSED),  # too long
    ],
)
async def test_a_size_is_a_number_in_hexadecimal_digits(listener: Listener, size: bytes, outcome: str) -> None:
    await listener.judged(HEAD + size + REST, outcome)


@pytest.mark.parametrize("size", [b"7fffffffffffffff", b"8000000000000000", b"ffffffffffffffff", b"100000000"])
async def test_a_size_without_end_hides_what_follows(size: bytes) -> None:
    """2^63 and the like must not become negative or small: what follows is the chunk's data."""
    async with listening(body_seconds=0.05) as listener:
        found = await listener.exchange(HEAD + size + b"\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN)
        assert [answer.status for answer in found] in ([400], [408], [413])
        assert listener.executed == []


@pytest.mark.parametrize(
    ("extension", "outcome"),
    [
        (b";a", SERVED),
        (b";a=b", SERVED),
        (b';a="b"', SERVED),
        (b';a="b;c"', SERVED),
        (b";a=b;c=d", SERVED),
        (b" ;a", EITHER),  # RFC 9112 section 7.1.1: space there is bad, and must be understood
        (b"\t; a = b", EITHER),
        (b";", EITHER),
        (b";=", EITHER),
        (b"x", REFUSED),
        (b";a\x00", REFUSED),
        (b";a\rb", REFUSED),
        (b";a\r", REFUSED),
        (b';a="\r\n"', REFUSED),
        (b";a\n", REFUSED),
        (b";\n13\r\n", REFUSED),  # two lines for who ends lines at LF, one for others
    ],
)
async def test_extensions_mean_nothing(listener: Listener, extension: bytes, outcome: str) -> None:
    await listener.judged(HEAD + SIZE + extension + REST, outcome)


@pytest.mark.parametrize("size", [70_000, 2_000_000])
async def test_large_extensions(listener: Listener, size: int) -> None:
    await listener.judged(HEAD + SIZE + b";a=" + b"b" * size + REST, EITHER if size < 100_000 else REFUSED)


@pytest.mark.parametrize(
    "body",
    [
        SIZE + b"\n" + BODY + b"\r\n0\r\n\r\n",
        SIZE + b"\r" + BODY + b"\r\n0\r\n\r\n",
        SIZE + b"\r\r\n" + BODY + b"\r\n0\r\n\r\n",
        SIZE + b"\n\r" + BODY + b"\r\n0\r\n\r\n",
        SIZE + b"\r\n" + BODY + b"\n0\r\n\r\n",
        SIZE + b"\r\n" + BODY + b"\r0\r\n\r\n",
        SIZE + b"\r\n" + BODY + b"0\r\n\r\n",
        SIZE + b"\r\n" + BODY + b"\r\n\r\n0\r\n\r\n",
        CHUNK + b"0\n\n",
        CHUNK + b"0\n\r\n",
        CHUNK + b"0\r\n\n",
        CHUNK + b"0\r\r",
        CHUNK + b"0\r\n\rx",
    ],
)
async def test_lines_end_with_cr_lf(listener: Listener, body: bytes) -> None:
    """RFC 9112 section 2.2 allows LF alone only in a head."""
    await listener.judged(HEAD + body, REFUSED)


@pytest.mark.parametrize(
    "body",
    [
        CHUNK + b"000\r\n\r\n",
        CHUNK + b"0;a=b\r\n\r\n",
        b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n",
        b"A\r\n%b\r\n9;x\r\n%b\r\n0\r\n\r\n" % (BODY[:10], BODY[10:]),
        b"a\r\n%b\r\n009\r\n%b\r\n0\r\n\r\n" % (BODY[:10], BODY[10:]),
    ],
)
async def test_a_body_in_pieces_is_whole(listener: Listener, body: bytes) -> None:
    await listener.judged(HEAD + body, SERVED)


@pytest.mark.parametrize(
    ("trailers", "outcome"),
    [
        (b"a: b\r\n", SERVED),
        (b"a:\r\nc: d\r\n", SERVED),
        (b"host: evil\r\n", EITHER),
        (b"authorization: evil\r\n", EITHER),
        (b"content-length: 60\r\n", EITHER),  # RFC 9110 section 6.5.1: not to be merged into the head
        (b"content-length: 0\r\n", EITHER),
        (b"transfer-encoding: chunked\r\n", EITHER),
        (b"a b\r\n", REFUSED),
        (b"a : b\r\n", REFUSED),
        (b"a: b\x00\r\n", REFUSED),
        (b"a: b\rc\r\n", REFUSED),
        (b"a: b\r\n c\r\n", EITHER),
        (b"a: b\n", EITHER),
        (b": b\r\n", REFUSED),
        (HIDDEN[:-2], REFUSED),
        (b"a: " + b"b" * 70_000 + b"\r\n", EITHER),
        (b"a: b\r\n" * 12_000, EITHER),
        (b"a: " + b"b" * 2_000_000 + b"\r\n", REFUSED),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
async def test_trailers_change_nothing(listener: Listener, trailers: bytes, outcome: str) -> None:
    await listener.judged(HEAD + CHUNK + b"0\r\n" + trailers + b"\r\n", outcome)


@pytest.mark.parametrize("end", [b"0\r\n", b"", b"5\r\nabc", b"0\r\na: b\r\n"])
async def test_a_body_that_does_not_end_is_not_executed(end: bytes) -> None:
    async with listening(body_seconds=0.05) as listener:
        found = await listener.exchange(HEAD + CHUNK + end)
        assert [answer.status for answer in found] == [408]
        assert listener.executed == []


async def test_a_request_behind_a_body_s_end_is_not_part_of_it(listener: Listener) -> None:
    found = await listener.exchange(HEAD + CHUNK + b"0\r\n\r\n" + get("7") + LAST)
    assert [answer.status for answer in found] == [200, 200, 200]
    assert listener.executed == ["echo x", "7", "last"]
