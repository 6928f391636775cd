"""The envelopes of gRPC, gRPC-Web and Connect, base64 text and message codings, without a server."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.faces.rpc.coding import coding_named, decompressed
from diptych.faces.rpc.text import Base64Decoder
from diptych.framing.envelope import COMPRESSED, HEAD, Envelopes, envelope
from diptych.status import Code, StatusError

_KNOWN = (b"gzip", b"deflate")


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Yields the data in pieces of these sizes, repeated."""
    pieces: list[bytes] = []
    while data:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@given(st.lists(st.tuples(st.sampled_from((0, 1)), st.binary(max_size=40))), st.lists(st.integers(1, 9), min_size=1))
def test_envelopes_round_trip_at_any_chunk_size(messages: list[tuple[int, bytes]], sizes: list[int]) -> None:
    envelopes, found = Envelopes(40), []
    for piece in cut(b"".join(envelope(*message) for message in messages), sizes):
        envelopes.feed(piece)
        while (one := envelopes.next()) is not None:
            found.append(one)
    envelopes.end()
    assert found == messages


def test_a_too_large_declared_length_is_refused_before_its_data() -> None:
    envelopes = Envelopes(100)
    envelopes.feed(envelope(0, b"fits") + HEAD.pack(0, 101))
    assert envelopes.next() == (0, b"fits")  # earlier messages are delivered
    with pytest.raises(StatusError, match="RESOURCE_EXHAUSTED: the request is larger than 100 bytes"):
        envelopes.next()


@pytest.mark.parametrize("flags", [0x02, 0x80, 0xFF])
@pytest.mark.parametrize("fault", [Code.INTERNAL, Code.INVALID_ARGUMENT])
def test_undefined_flags_are_refused(flags: int, fault: Code) -> None:
    envelopes = Envelopes(100, fault)
    envelopes.feed(envelope(flags, b""))
    with pytest.raises(StatusError, match="flags 0x") as refused:
        envelopes.next()
    assert refused.value.status.code is fault


@pytest.mark.parametrize("missing", range(1, 9))
def test_an_end_within_an_envelope_is_refused(missing: int) -> None:
    envelopes = Envelopes(100)
    envelopes.feed((envelope(0, b"a") + envelope(0, b"abcd"))[:-missing])
    assert envelopes.next() == (0, b"a")
    assert envelopes.next() is None
    with pytest.raises(StatusError, match="the last message is incomplete"):
        envelopes.end()


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 9), min_size=1))
def test_base64_parts_may_be_padded_and_split_anywhere(parts: list[bytes], sizes: list[int]) -> None:
    quanta = Base64Decoder()
    text = b"".join(base64.b64encode(part) for part in parts)
    plain = b"".join(quanta.feed(piece) for piece in cut(text, sizes))
    quanta.end()
    assert plain == b"".join(parts)


@pytest.mark.parametrize("text", [b"!!!!", b"A===", b"AA=A", b"AAA", b"AA\nA"])
def test_invalid_base64_is_refused(text: bytes) -> None:
    def read() -> None:
        quanta = Base64Decoder()
        quanta.feed(text)
        quanta.end()

    with pytest.raises(StatusError, match="the body is not valid base64"):
        read()


@pytest.mark.parametrize("name", _KNOWN)
@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 300])
def test_compression_round_trips(name: bytes, data: bytes) -> None:
    coding = coding_named(name, _KNOWN, "x")
    assert coding is not None
    assert decompressed(coding, coding.compress(data), len(data), Code.INTERNAL) == data


def test_messages_of_other_compressors_are_decompressed() -> None:
    gzipped, deflated = (coding_named(name, _KNOWN, "x") for name in _KNOWN)
    assert gzipped is not None
    assert deflated is not None
    assert (
        decompressed(gzipped, gzip.compress(b"a") + gzip.compress(b"b"), 2, Code.INTERNAL) == b"ab"
    )  # RFC 1952: members
    assert decompressed(gzipped, b"", 9, Code.INTERNAL) == b""  # as connect-go sends an empty message
    assert decompressed(deflated, zlib.compress(b"a"), 9, Code.INTERNAL) == b"a"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(b"\0" * 10_000_000, mtime=0), Code.RESOURCE_EXHAUSTED),
        (gzip.compress(b"\0" * 99, mtime=0) * 2, Code.RESOURCE_EXHAUSTED),  # members count together
        (b"no gzip at all", Code.INVALID_ARGUMENT),
        (gzip.compress(b"cut short", mtime=0)[:-1], Code.INVALID_ARGUMENT),
    ],
    ids=["bomb", "members", "garbage", "cut"],
)
def test_a_bomb_is_stopped_and_garbage_is_refused(data: bytes, code: Code) -> None:
    coding = coding_named(b"gzip", _KNOWN, "x")
    assert coding is not None
    with pytest.raises(StatusError) as refused:
        decompressed(coding, data, 100, Code.INVALID_ARGUMENT)
    assert refused.value.status.code is code


def test_an_unknown_coding_is_unimplemented_and_names_the_known_ones() -> None:
    with pytest.raises(StatusError, match="UNIMPLEMENTED: unsupported message encoding 'br'") as refused:
        coding_named(b"br", _KNOWN, "grpc-accept-encoding")
    assert refused.value.status.headers == (("grpc-accept-encoding", "gzip, deflate, identity"),)
    assert coding_named(b"identity", _KNOWN, "x") is None
    assert COMPRESSED == 1
