"""HTTP/1.1 as RFC 9112 and 9110 have it where llhttp is more lenient: versions, hosts, codings, upgrades."""

from __future__ import annotations

import pytest

from tests.gateway.http1_client import (
    BODY,
    ECHOED,
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


# Hosts (RFC 9112 section 3.2: none, several, or an invalid one is 400).


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"host: x\r\nhost: x\r\n",
        b"host: x\r\nHost: y\r\n",
        b"host: a b\r\n",
        b"host: a\tb\r\n",
        b"host: a,b\r\n",
        b"host: a/b\r\n",
        b"host: x?y\r\n",
        b"host: x#y\r\n",
        b"host: u@x\r\n",
        b"host: http://x\r\n",
        b"host: x:port\r\n",
        b"host: x:-1\r\n",
        b"host: [::1\r\n",
        b"host: ::1]\r\n",
        b"host: <x>\r\n",
        b"host: a\\b\r\n",
        b"host: \xff\r\n",
    ],
)
async def test_none_two_or_an_invalid_host_is_refused(listener: Listener, lines: bytes) -> None:
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.1\r\n" + lines + b"\r\n", REFUSED)


async def test_http_1_0_may_not_have_two_hosts_either(listener: Listener) -> None:
    await listener.judged(b"GET /v1/dishes/7 HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n", REFUSED)


# Request lines and versions.


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/dishes/7",  # HTTP/0.9
        b"GET /v1/dishes/7HTTP/1.1",  # the same, with another path
        b"GET /v1/dishes/7 HTTP/0.9",
        b"GET /v1/dishes/7 HTTP/2.0",
        b"SOURCE /v1/dishes/7 ICE/1.0",  # llhttp speaks ICE and RTSP too
        b"PLAY /v1/dishes/7 RTSP/1.0",
        b"CONNECT /v1/dishes/7 HTTP/1.1",  # llhttp takes what follows for a tunnel's data, and the client waits forever
    ],
)
async def test_a_request_line_that_is_not_http_1(listener: Listener, line: bytes) -> None:
    await listener.judged(line + b"\r\nhost: x\r\n\r\n", REFUSED)


WRONG_LINES = [
    b"GET  /v1/dishes/7 HTTP/1.1",
    b"GET /v1/dishes/7  HTTP/1.1",
    b"GET  /v1/dishes/7   HTTP/1.0",
    b"GET /v1/dishes/7 RTSP/1.0",  # llhttp has these verbs for RTSP too
    b"POST /v1/echo RTSP/1.0",
    b"OPTIONS /v1/dishes/7 RTSP/1.0",
]
AHEAD = {
    "nothing": b"",
    "blank lines": b"\r\n\r\n\r\n",
    "a request": get("7"),
    "a body": POST + b"content-length: 19\r\n\r\n" + BODY,
    "chunks": POST + b"transfer-encoding: chunked\r\n\r\n" + chunked(b'{"stringValue":\r\n\r\n"x"}'),
    "an upgrade": get("7", b"connection: upgrade", b"upgrade: h2c"),
}


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize("line", WRONG_LINES)
async def test_a_second_space_or_another_protocol(listener: Listener, line: bytes, ahead: str) -> None:
    """RFC 9112 section 3: single spaces, and HTTP. A proxy in front may read another request in such a line."""
    before = AHEAD[ahead]
    hidden = b"%b\r\nhost: x\r\nx: %b\r\n\r\n" % (line, b" ".join(line.split()).replace(b"RTSP", b"HTTP"))
    for cut in (0, len(before), len(before) + 1, len(before) + 5, len(before) + len(line), len(before) + len(line) + 3):
        whole = before + hidden + LAST
        found = await listener.exchange(*[piece for piece in (whole[:cut], whole[cut:]) if piece])
        # What is ahead may still run when the connection turns out to be malformed: then it is the only one answered.
        allowed = [[400]] if before.isspace() or not before else [[200, 400], [400], [200]]
        assert [answer.status for answer in found] in allowed, (cut, found)
        assert listener.executed in ([], ["7"], [ECHOED])[: len(allowed)], cut


@pytest.mark.parametrize("ahead", AHEAD)
async def test_requests_may_be_cut_anywhere(listener: Listener, ahead: str) -> None:
    requests = AHEAD[ahead] + get("8") + AHEAD[ahead] + get("9", b"x: y")
    expected = await listener.executes(requests)
    assert len(expected) >= 2
    for cut in range(1, len(requests)):
        assert await listener.executes(requests[:cut], requests[cut:]) == expected, cut
    assert await listener.executes(*[requests[at : at + 1] for at in range(len(requests))]) == expected


async def test_http_0_9_is_refused_without_a_field(listener: Listener) -> None:
    await listener.judged(b"GET /v1/dishes/7\r\n\r\n", REFUSED)


async def test_an_absolute_target_without_a_path_is_the_root(listener: Listener) -> None:
    """RFC 9112 section 3.2.2, and RFC 9110 section 4.2.3: an empty path is the same as "/"."""
    for target in ("/", "http://x", "http://x?"):
        found = await listener.exchange(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode() + LAST)
        assert [answer.status for answer in found] == [404, 200], target


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://evil.example/v1/dishes/7 HTTP/1.1\r\nhost: x\r\n",
        b"GET http://x/v1/dishes/7 HTTP/1.1\r\nhost: evil.example\r\n",
        b"GET http://evil.example/v1/dishes/7 HTTP/1.0\r\n",
        b"GET http://x:81/v1/dishes/7 HTTP/1.1\r\nhost: x\r\n",
        b"GET ftp://x/v1/dishes/7 HTTP/1.1\r\nhost: x\r\n",
    ],
)
async def test_an_absolute_target_of_another_host_is_refused(listener: Listener, head: bytes) -> None:
    found = await listener.exchange(head + b"\r\n" + LAST)
    assert found[0].status == 400, "allowed_hosts checks the Host field only"


async def test_an_absolute_target_s_user_is_refused(listener: Listener) -> None:
    """RFC 9110 section 4.2.4: user information in a request's target is to be treated as an error."""
    found = await listener.exchange(b"GET http://u@x/v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r\n" + LAST)
    assert found[0].status == 400
    assert "7" not in listener.executed


async def test_options_of_the_server(listener: Listener) -> None:
    """RFC 9110 section 9.3.7: `OPTIONS *` asks about the server itself, as a ping."""
    found = await listener.exchange(b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n" + LAST, methods=["OPTIONS"])
    assert found[0].status in (200, 204)
    assert found[1].status == 200


# Transfer codings (RFC 9112 section 6.1: an unknown one is 501; section 6.3: chunked must be the last).


@pytest.mark.parametrize(
    "values",
    [
        [b"gzip, chunked"],
        [b"identity, chunked"],
        [b"gzip", b"chunked"],
        [b"identity", b"chunked"],
        [b"deflate,chunked"],
        [b"x, y, chunked"],
    ],
)
async def test_an_unknown_transfer_coding_is_not_implemented(listener: Listener, values: list[bytes]) -> None:
    """The body would reach the servicer compressed, and a proxy that drops what it does not know sees no chunks."""
    fields = b"".join(b"transfer-encoding: %b\r\n" % value for value in values)
    found = await listener.exchange(POST + fields + b"\r\n" + chunked(BODY) + LAST)
    assert [answer.status for answer in found] == [501]
    assert found[0].error["status"] == "UNIMPLEMENTED"
    assert listener.executed == []


# Upgrades to protocols the server does not speak are ignored (RFC 9110 section 7.8). Java's HttpClient
# sends `Upgrade: h2c` with every first request: its body was lost, and the connection hung.


@pytest.mark.parametrize("protocol", [b"h2c", b"TLS/1.0", b"HTTP/2.0", b"foo", b"foo, bar"])
@pytest.mark.parametrize("framing", ["none", "length", "chunks"])
async def test_an_upgrade_to_an_unknown_protocol_is_ignored(listener: Listener, protocol: bytes, framing: str) -> None:
    upgrade = b"connection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABk\r\nupgrade: " + protocol + b"\r\n"
    request, executed = {
        "none": (b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n" + upgrade + b"\r\n", "7"),
        "length": (POST + upgrade + b"content-length: %d\r\n\r\n" % len(BODY) + BODY, "echo x"),
        "chunks": (POST + upgrade + b"transfer-encoding: chunked\r\n\r\n" + chunked(BODY), "echo x"),
    }[framing]
    await listener.judged(request, SERVED, executed)


@pytest.mark.parametrize("line", [b"GET /healthz", b"POST /v1/echo", b"POST /nowhere", b"CONNECT /v1/dishes/7"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_behind_an_unknown_upgrade_hides_no_request(listener: Listener, line: bytes, framing: str) -> None:
    """llhttp skips the body of such a request, and of CONNECT: what follows would be read as requests, and executed."""
    fields, body = {
        "length": (b"content-length: %d\r\n" % len(HIDDEN), HIDDEN),
        "chunks": (b"transfer-encoding: chunked\r\n", chunked(HIDDEN)),
    }[framing]
    upgrade = b"host: x\r\ncontent-type: application/json\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
    found = await listener.exchange(line + b" HTTP/1.1\r\n" + upgrade + fields + b"\r\n" + body + LAST)
    assert 1 <= len(found) <= 2
    assert listener.executed == ["last"][: len(found) - 1]


# Trailers (RFC 9110 section 6.5.1: they are no part of the head). A `connection: close` among them made
# the connection neither answer the next request nor close.


@pytest.mark.parametrize("trailer", [b"connection: close", b"connection: upgrade\r\nupgrade: foo", b"upgrade: foo"])
async def test_trailers_of_the_connection_change_nothing(listener: Listener, trailer: bytes) -> None:
    request = POST + b"transfer-encoding: chunked\r\n\r\n13\r\n" + BODY + b"\r\n0\r\n" + trailer + b"\r\n\r\n"
    await listener.judged(request, EITHER)


# The last answer of a connection reaches a client that is still sending (RFC 9112 section 9.6). The
# socket was closed with unread data, so that the kernel sent a reset, and the client lost the end of the answer.


@pytest.mark.parametrize(
    "request_",
    [
        get("7", b"connection: close"),
        b"GET /v1/dishes/7 HTTP/1.0\r\n\r\n",
        b"GET /v1/ticks?count=3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        POST + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY,
        POST + b"connection: close\r\ncontent-length: 1000000000\r\n\r\n",
        b"POST /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n",
    ],
)
async def test_closing_lingers_while_the_client_still_sends(listener: Listener, request_: bytes) -> None:
    found = await listener.exchange(request_, *[b"x" * 1000] * 50)
    assert len(found) == 1
    assert not listener.reset


# RFC 9112 section 6.1: no Transfer-Encoding in answers to HTTP/1.0, whose clients take chunks for content.


@pytest.mark.parametrize("accept", [b"application/json", b"application/x-ndjson", b"text/event-stream"])
async def test_chunks_are_not_for_http_1_0(listener: Listener, accept: bytes) -> None:
    """The end of the connection ends the body instead."""
    found = await listener.exchange(b"GET /v1/ticks?count=2 HTTP/1.0\r\naccept: " + accept + b"\r\n\r\n")
    assert found[0].status == 200
    assert "transfer-encoding" not in found[0].headers
    assert found[0].body.count(b"tick") == 2


async def test_many_pipelined_requests_may_offer_a_protocol(listener: Listener) -> None:
    offering = get("7", b"connection: upgrade", b"upgrade: h2c")
    found = await listener.exchange(offering * 1500 + LAST)
    assert [answer.status for answer in found] == [200] * 1501
