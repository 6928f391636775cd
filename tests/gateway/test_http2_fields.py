"""HPACK, heads and budgets as units; the hpack package is the reference in both directions."""

from __future__ import annotations

import contextlib
import tracemalloc

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.http_server.h2 import head
from diptych.http_server.h2.blocks import Blocks
from diptych.http_server.h2.frames import END_HEADERS, ConnectionFault, StreamFault
from diptych.http_server.h2.hpack import Decoder, Field, Fields, HpackFault, encode
from diptych.http_server.h2.limits import MAX_BLOCK_BYTES, MAX_HEADER_BYTES, Budget
from diptych.http_server.h2.oversized import Oversized

NAMES = st.one_of(
    st.sampled_from([b":path", b":status", b"content-type", b"x-a", b"grpc-timeout", b"cookie", b"accept"]),
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=200).map(str.encode),
)
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=20)


def decoded(decoder: Decoder, block: bytes, most: int = 1 << 30) -> Fields:
    """The fields of a whole block."""
    fields = Fields(most)
    assert decoder.decode(block, fields) == len(block)
    return fields


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.integers(0, 4096)), min_size=1, max_size=6))
def test_decodes_what_the_hpack_package_encodes(blocks: list[tuple[list[tuple[bytes, bytes]], bool, int]]) -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    for fields, huffman, size in blocks:
        encoder.header_table_size = size  # which the next block announces
        assert decoded(decoder, encoder.encode(fields, huffman=huffman)).kept == fields


@given(FIELDS)
def test_the_hpack_package_decodes_what_is_encoded(fields: list[tuple[bytes, bytes]]) -> None:
    decoder = hpack.Decoder(max_header_list_size=1 << 30)
    block = b"".join(map(encode, fields))
    assert [(name, value) for name, value in decoder.decode(block, raw=True)] == fields
    assert decoded(Decoder(), block).kept == fields


@given(st.binary(max_size=300))
def test_garbage_is_decoded_or_refused(block: bytes) -> None:
    blocks = Blocks()
    with contextlib.suppress(ConnectionFault, StreamFault):
        blocks.head(1, block)


def test_a_table_size_belongs_at_the_beginning() -> None:
    with pytest.raises(HpackFault):
        Decoder().decode(b"\x82\x20", Fields(1000))


def test_fields_above_the_limit_are_dropped_and_the_table_kept() -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    many = [(b"x-%d" % number, b"v" * 100) for number in range(30)]
    fields = decoded(decoder, encoder.encode([*many, (b"content-type", b"text/plain")]), 1000)
    assert fields.too_large
    assert fields.essential == {b"content-type": b"text/plain"}
    assert decoded(decoder, encoder.encode(many[-3:]), 1000).kept == many[-3:]


LONG_FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"x-a", b"x-b", b"n" * 20_000]), st.sampled_from([b"", b"v", b"w" * 3000, b"x" * 40_000])
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=20)
@given(FIELDS, LONG_FIELDS, st.booleans(), st.integers(9_000, 70_000))
def test_a_block_in_pieces_changes_the_table_as_a_whole_one(
    before: list[Field], large: list[Field], huffman: bool, step: int
) -> None:
    encoder, pieces, whole = hpack.Encoder(), Decoder(), Decoder()
    blocks = [encoder.encode(before), encoder.encode([*large, (b"content-type", b"text/plain")], huffman=huffman)]
    for block in blocks:
        decoded(whole, block)
        oversized = Oversized(pieces)
        for start in range(0, len(block), step):
            oversized.feed(block[start : start + step])
        assert oversized.complete
    assert oversized.fields.essential == {b"content-type": b"text/plain"}
    again = encoder.encode([*before, *large[:2], (b"content-type", b"text/plain")])
    assert decoded(pieces, again).kept == decoded(whole, again).kept


@pytest.mark.parametrize("name_length", [1, 900_000], ids=["a long value", "a long name"])
def test_an_oversized_block_is_never_held(name_length: int) -> None:
    name, value = b"n" * name_length, b"v" * (901_000 - name_length)
    block = encode((name, value)) + encode((b"content-type", b"application/grpc"))
    assert len(block) < MAX_BLOCK_BYTES
    blocks = Blocks()
    blocks.first(0, 1, b"")
    pieces = [block[start : start + 16384] for start in range(0, len(block), 16384)]
    tracemalloc.start()
    try:
        for piece in pieces[:-1]:
            assert blocks.more(0, piece) is None
        done = blocks.more(END_HEADERS, pieces[-1])
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < 5 * MAX_HEADER_BYTES  # the block's beginning, one piece, and the copies that join them
    assert done is not None
    found = blocks.head(1, done[1])
    assert (found.too_large, found.headers) == (True, ((b"content-type", b"application/grpc"),))


@pytest.mark.parametrize(
    "more", [b"\x40", b"\x00\x01x\x7f\xff\xff\x07", b"\x00\x7f\xff\xff\x07nn", b"\xff\xff\xff\xff\xff\xff"]
)
def test_an_oversized_block_that_cannot_be_decoded_ends_the_connection(more: bytes) -> None:
    blocks = Blocks()
    blocks.first(0, 1, b"")
    for piece in (b"\x82" * MAX_HEADER_BYTES, b"\x82"):
        assert blocks.more(0, piece) is None
    with pytest.raises(ConnectionFault, match="COMPRESSION_ERROR"):
        blocks.more(END_HEADERS, more)


GET = [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "x")]


def test_a_block_is_cached_while_the_table_is_unchanged() -> None:
    encoder, blocks = hpack.Encoder(), Blocks()
    first, again = encoder.encode(GET), encoder.encode(GET)
    assert first != again  # the first filled the table
    head_of_first, known = blocks.head(1, first), blocks.head(3, again)
    assert head_of_first == known
    assert blocks.head(5, again) is known
    other = blocks.head(7, encoder.encode([*GET, ("x-new", "1")]))  # which moves every index
    assert other.headers[-1] == (b"x-new", b"1")
    assert blocks.head(9, encoder.encode(GET)) == known


def test_the_cache_of_blocks_is_bounded() -> None:
    blocks = Blocks()
    for number in range(2000):
        value = b"%04d" % number
        found = blocks.head(1, b"\x82\x86\x84\x00\x01n\x04" + value)
        assert found.headers == ((b"n", value),)
    assert len(blocks._heads) <= 256


def test_response_fields_are_valid_in_http2() -> None:
    decoder = Decoder()
    assert decoded(decoder, head.field_bytes((b"X-Upper", b" v "))).kept == [(b"x-upper", b"v")]
    assert decoded(decoder, head.status_bytes(200) + head.status_bytes(999)).kept == [
        (b":status", b"200"),
        (b":status", b"999"),
    ]
    for name in (b"Connection", b"transfer-encoding", b"keep-alive", b"te"):
        assert head.field_bytes((name, b"x")) == b""
    for field in ((b"a b", b""), (b"", b""), (b"a", b"x\r\ny"), (b":path", b"/")):
        with pytest.raises(ValueError):
            head.field_bytes(field)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=6))
def test_a_head_is_parsed_or_refused(fields: list[tuple[bytes, bytes]]) -> None:
    try:
        found = head.read([(b":method", b"GET"), (b":scheme", b"http"), *fields])
    except head.Malformed:
        return
    assert not any(name[:1] == b":" or b"\n" in value or b"\0" in value for name, value in found.headers)


def test_a_budget_refills_with_time() -> None:
    now = [0.0]
    budget = Budget(3, 2, clock=lambda: now[0])
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]
    now[0] = 2.0
    assert budget.spend()
    budget.earn(100)
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]
    assert MAX_HEADER_BYTES == 65536
