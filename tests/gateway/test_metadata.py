"""Headers to metadata and back, and the deadline a request carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.metadata import HeaderPolicy, check, from_headers, timeout, to_headers
from diptych.status import StatusError

ALL = HeaderPolicy()

IN = [
    # (header, value, metadata, why)
    (b"x-custom", b"a", [("x-custom", "a")], "any other header"),
    (b"authorization", b"Bearer t", [("authorization", "Bearer t")], "credentials pass"),
    (b"user-agent", b"curl", [("user-agent", "curl")], "gRPC has it too"),
    (b"x-latin", b"\xe9", [("x-latin", "é")], "HTTP values are latin-1"),
    (b"x-empty", b"", [("x-empty", "")], "an empty value"),
    (b"trace-bin", b"AAH/", [("trace-bin", b"\x00\x01\xff")], "base64"),
    (b"trace-bin", b"AQ", [("trace-bin", b"\x01")], "unpadded"),
    (b"trace-bin", b"AQ==", [("trace-bin", b"\x01")], "padded"),
    (b"trace-bin", b"AQ, Ag==", [("trace-bin", b"\x01"), ("trace-bin", b"\x02")], "two values in one line"),
    (b"trace-bin", b"", [("trace-bin", b"")], "nothing"),
    (b"connection", b"keep-alive", [], "hop by hop"),
    (b"proxy-authorization", b"x", [], "the proxy's"),
    (b"te", b"trailers", [], "hop by hop"),
    (b"transfer-encoding", b"chunked", [], "the HTTP message's"),
    (b"content-length", b"5", [], "the HTTP message's"),
    (b"host", b"x", [], "the HTTP message's"),
    (b"grpc-timeout", b"1S", [], "gRPC's own"),
    (b"grpc-anything", b"1", [], "reserved for gRPC"),
    (b"grpc-trace-bin", b"!", [], "reserved, and so not even read"),
    (b":authority", b"x", [], "a pseudo-header"),
]


@pytest.mark.parametrize(("name", "value", "pairs", "_why"), IN, ids=[f"{row[0].decode()}: {row[3]}" for row in IN])
def test_headers_become_metadata(name: bytes, value: bytes, pairs: list[tuple[str, str | bytes]], _why: str) -> None:
    policy = HeaderPolicy()
    for turn in ("first", "remembered"):
        assert from_headers([(name, value)], policy) == tuple(pairs), turn


def test_order_and_repetition_are_kept() -> None:
    headers = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert from_headers(headers, ALL) == (("a", "1"), ("b", "2"), ("a", "3"))


@pytest.mark.parametrize("value", [b"!", b"A", b"AA=A", b"AAA=AAAA", b"-_8=", b"A Q=", b"\xff"])
def test_an_invalid_binary_header_is_the_clients_error(value: bytes) -> None:
    with pytest.raises(StatusError, match="x-bin: expected base64"):
        from_headers([(b"x-bin", value)], ALL)


@pytest.mark.parametrize(
    ("allow", "deny", "kept"),
    [
        (None, [], ["a", "b", "authorization"]),
        (None, ["B"], ["a", "authorization"]),
        (["A"], [], ["a"]),
        (["a", "b"], ["b"], ["a"]),
        ([], [], []),
        (["host", "grpc-timeout", "a"], [], ["a"]),
    ],
)
def test_a_policy_narrows_and_never_widens(allow: list[str] | None, deny: list[str], kept: list[str]) -> None:
    headers = [(name, b"1") for name in (b"a", b"b", b"authorization", b"host", b"grpc-timeout")]
    policy = HeaderPolicy.of(allow, deny)
    assert [name for name, _ in from_headers(headers, policy)] == kept
    assert [name for name, _ in from_headers(headers, policy)] == kept


def test_invented_header_names_do_not_fill_memory() -> None:
    policy = HeaderPolicy()
    for number in range(10_000):
        assert from_headers([(b"x-%d" % number, b"1")], policy) == ((f"x-{number}", "1"),)
    assert len(policy._keys) < 1000


OUT = [
    # (pair, headers, why)
    (("x-a", "1"), [(b"x-a", b"1")], "text"),
    (("location", "/x"), [(b"location", b"/x")], "a plain header"),
    (("x-bin", b"\x00\xff"), [(b"x-bin", b"AP8")], "base64 without padding, as gRPC emits it"),
    (("x-bin", b""), [(b"x-bin", b"")], "nothing"),
    (("x-a", b"text"), [(b"x-a", b"text")], "bytes under a text key"),
    (("x-a", "  1 "), [(b"x-a", b"1")], "white space around a value is not part of it"),
    (("x-http-code", "201"), [], "the status itself says it"),
    (("content-type", "x"), [], "the reply's own"),
    (("content-length", "5"), [], "the reply's own"),
    (("transfer-encoding", "chunked"), [], "would break the message"),
    (("connection", "close"), [], "would break the connection"),
    (("grpc-status", "5"), [], "gRPC's own"),
    ((":status", "5"), [], "a pseudo-header"),
]


@pytest.mark.parametrize(("pair", "headers", "_why"), OUT, ids=[f"{row[0][0]}: {row[2]}" for row in OUT])
def test_metadata_become_headers(pair: tuple[str, str | bytes], headers: list[tuple[bytes, bytes]], _why: str) -> None:
    assert to_headers([pair]) == headers
    assert to_headers([pair], b"t-") == [(b"t-" + name, value) for name, value in headers]


# The behaviour of grpcio 1.85 itself, tried against a server.
CHECKED = [
    # (pair, the kept pair or the error)
    (("a", "b"), ("a", "b")),
    (("a_.-9", "b"), ("a_.-9", "b")),
    (("a", b"x"), ("a", "x")),
    (("a", " x "), ("a", " x ")),
    (("a", ""), ("a", "")),
    (("a-bin", b"\x00\xff"), ("a-bin", b"\x00\xff")),
    (("-bin", b"1"), ("-bin", b"1")),
    (("A", "b"), ValueError),
    (("", "b"), ValueError),
    (("a b", "b"), ValueError),
    ((":a", "b"), ValueError),
    (("é", "b"), ValueError),
    (("a\n", "b"), ValueError),
    (("a", "é"), ValueError),
    (("a", "x\ny"), ValueError),
    (("a", "x\r\nset-cookie: y"), ValueError),
    (("a", "\t"), ValueError),
    (("a", "\x7f"), ValueError),
    (("a", b"\xff"), ValueError),
    (("a-bin", "text"), TypeError),
]


@pytest.mark.parametrize(("pair", "expected"), CHECKED)
def test_a_servicers_metadata_is_refused_as_by_grpc(
    pair: tuple[str, str | bytes], expected: tuple[str, str | bytes] | type[Exception]
) -> None:
    if isinstance(expected, tuple):
        assert check([pair]) == (expected,)
    else:
        with pytest.raises(expected, match="metadata was invalid"):
            check([pair])


KEYS = st.from_regex(r"\Ax-[a-z0-9_.-]{0,8}\Z").filter(lambda key: not key.endswith("-bin"))
PAIRS = st.tuples(KEYS, st.from_regex(r"\A[!-~]([ -~]{0,6}[!-~])?\Z")) | st.tuples(
    KEYS.map(lambda key: key + "-bin"), st.binary(max_size=8)
)


@given(st.lists(PAIRS, max_size=5))
def test_metadata_round_trips(pairs: list[tuple[str, str | bytes]]) -> None:
    assert from_headers(to_headers(check(pairs)), ALL) == tuple(pairs)


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6) | st.binary(max_size=6)), max_size=3))
def test_no_header_holds_a_line_break(pairs: list[tuple[str, str | bytes]]) -> None:
    try:
        checked = check(pairs)
    except (ValueError, TypeError):
        return
    for name, value in to_headers(checked):
        assert not {b"\r"[0], b"\n"[0]} & {*name, *value}


DEADLINES = [
    # (grpc-timeout, x-server-timeout, maximum, seconds, why)
    (None, None, None, None, "nobody asks"),
    (None, None, 30.0, 30.0, "the server's maximum"),
    (b"5S", None, None, 5.0, "seconds"),
    (b"2H", None, None, 7200.0, "hours"),
    (b"2M", None, None, 120.0, "minutes"),
    (b"250m", None, None, 0.25, "milliseconds"),
    (b"5u", None, None, 5e-6, "microseconds"),
    (b"7n", None, None, 7e-9, "nanoseconds"),
    (b"0S", None, None, 0.0, "at once"),
    (b"99999999H", None, 60.0, 60.0, "eight digits, capped"),
    (b"5S", None, 60.0, 5.0, "below the maximum"),
    (None, b"2.5", None, 2.5, "a decimal"),
    (None, b"2.", None, 2.0, "no digits after the point"),
    (None, b"0", None, 0.0, "at once"),
    (None, b"3600", 60.0, 60.0, "capped"),
    (b"5S", b"2", None, 2.0, "the shorter of both"),
    (b"1S", b"2", None, 1.0, "the shorter of both"),
]


@pytest.mark.parametrize(
    ("grpc", "server", "most", "seconds", "_why"),
    DEADLINES,
    ids=[f"{row[0]!r} {row[1]!r} {row[4]}" for row in DEADLINES],
)
def test_the_deadline(
    grpc: bytes | None, server: bytes | None, most: float | None, seconds: float | None, _why: str
) -> None:
    assert timeout(grpc, server, most) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [b"", b"5", b"S", b"5s", b"-5S", b"5.5S", b"123456789S", b" 5S", b"5S ", b"5SS"])
def test_a_malformed_grpc_timeout(text: bytes) -> None:
    with pytest.raises(StatusError, match="grpc-timeout") as caught:
        timeout(text, None, None)
    assert caught.value.status.http_status == 400


@pytest.mark.parametrize(
    "text", [b"", b"x", b"-1", b"+1", b"nan", b"inf", b"1e3", b"1_0", b" 1", b"1,5", b"5S", b"1" * 10, b".5", b"\xff"]
)
def test_a_malformed_server_timeout(text: bytes) -> None:
    with pytest.raises(StatusError, match="x-server-timeout") as caught:
        timeout(None, text, None)
    assert caught.value.status.http_status == 400
