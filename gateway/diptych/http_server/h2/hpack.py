"""HPACK (RFC 7541): decodes field blocks with a dynamic table, and encodes fields without one.

Huffman codes and the static table are the hpack package's. Its decoder is about four times slower than this one, and
does not report whether a block changed the table, without which blocks could not be cached. It knows no request.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

Field = tuple[bytes, bytes]

TABLE_BYTES = 4096
"""The size of the dynamic table: the protocol's default, which our SETTINGS leave unchanged."""
_STATIC: tuple[Field, ...] = ((b"", b""), *HeaderTable.STATIC_TABLE)
_FIRST_DYNAMIC = len(_STATIC)
_OVERHEAD = 32  # of each entry, added to its bytes (section 4.1)


# RFC 7541 appendix B: no Huffman code is longer than 30 bits, so a longer string decodes to more than the table holds.
_NEVER_FITS = TABLE_BYTES * 30 // 8
LONGEST_PARTIAL = 2 * _NEVER_FITS + 64
"""An incomplete field with more bytes than this has a string that never fits the table."""

_ESSENTIAL = frozenset((b":method", b"content-type"))


class HpackFault(Exception):
    """A block that cannot be decoded; neither can later ones of the connection."""


class Fields:
    """The fields of one block while it is decoded.

    They are kept up to `most` bytes together, as RFC 9113 section 6.5.2 counts them. Of those above it only the method
    and the content type are kept, which determine how the request is refused.
    """

    __slots__ = ("essential", "kept", "most", "size")

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self.kept: list[Field] = []
        self.essential: dict[bytes, bytes] = {}

    @property
    def too_large(self) -> bool:
        """Whether fields were dropped."""
        return self.size > self.most


class Decoder:
    """The decoder of one connection, with its dynamic table."""

    __slots__ = ("_entries", "_max", "_size", "changes")

    def __init__(self) -> None:
        self._entries: deque[Field] = deque()
        self._size, self._max = 0, TABLE_BYTES
        self.changes = 0
        """The number of changes of the table; between changes, the same block decodes to the same fields."""

    def decode(self, block: bytes, fields: Fields) -> int:
        """Adds the complete fields at the beginning of `block` to `fields`; returns how many bytes they have.

        The table is kept in step also while fields are dropped. Raises HpackFault.
        """
        at = start = 0
        end, kept, size, most = len(block), fields.kept, fields.size, fields.most
        try:
            while at < end:
                start = at
                byte = block[at]
                if byte & 0x80:
                    index, at = (byte & 0x7F, at + 1) if byte != 0xFF else _integer(block, at, 0x7F)
                    found = self._field(index)
                elif byte & 0x60 == 0x20:
                    limit, at = _integer(block, at, 0x1F)
                    self._resize(limit, first=not size)
                    continue
                else:
                    index, at = _integer(block, at, 0x3F if byte & 0x40 else 0x0F)
                    if index:
                        name = self._field(index)[0]
                    else:
                        name, at = _string(block, at)
                    value, at = _string(block, at)
                    found = (name, value)
                    if byte & 0x40:
                        self._add(found)
                size += len(found[0]) + len(found[1]) + _OVERHEAD
                if size <= most:
                    kept.append(found)
                elif found[0] in _ESSENTIAL:
                    fields.essential[found[0]] = found[1]
        except IndexError:  # the last field is incomplete, and has changed nothing
            at = start
        except HPACKError as wrong:
            raise HpackFault(str(wrong)) from None
        fields.size = size
        return at

    def drop_long(self, partial: bytes, fields: Fields) -> tuple[bytes, int]:
        """Drops a string that is too long for the table from an incomplete field of more than `LONGEST_PARTIAL` bytes.

        Returns the bytes that stand for what has come of the field after it, and how many bytes of the string are
        still to come.
        """
        byte, end = partial[0], len(partial)
        index, at = _integer(partial, 0, 0x3F if byte & 0x40 else 0x0F)
        fields.size += end
        if byte & 0x40:  # section 4.4: an entry larger than the table empties it
            self.changes += 1
            self._entries.clear()
            self._size = 0
        if not index:
            length, at = _integer(partial, at, 0x7F)
            at += length
            if length > _NEVER_FITS:  # the value follows, read as that of a field without a name
                return b"\0\0" + partial[at:], max(0, at - end)
        length, at = _integer(partial, at, 0x7F)
        return b"", at + length - end

    def _field(self, index: int) -> Field:
        if 0 < index < _FIRST_DYNAMIC:
            return _STATIC[index]
        if not _FIRST_DYNAMIC <= index < _FIRST_DYNAMIC + len(self._entries):
            raise HpackFault(f"no field has index {index}")
        return self._entries[index - _FIRST_DYNAMIC]

    def _add(self, field: Field) -> None:
        self.changes += 1
        self._entries.appendleft(field)
        self._size += len(field[0]) + len(field[1]) + _OVERHEAD
        self._evict()

    def _resize(self, size: int, *, first: bool) -> None:
        if size > TABLE_BYTES or not first:
            raise HpackFault("a table size update that is too large or not at the start of the block")
        if size != self._max:
            self.changes += 1
            self._max = size
            self._evict()

    def _evict(self) -> None:
        while self._size > self._max:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + _OVERHEAD


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Decodes an integer (section 5.1): above the first byte's `mask`, groups of 7 bits follow, lowest first."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in (0, 7, 14, 21):
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise HpackFault("an integer of more than 28 bits")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    coded = block[at] & 0x80
    size, at = _integer(block, at, 0x7F)
    end = at + size
    if end > len(block):
        raise IndexError("the string is incomplete")
    raw = block[at:end]
    return (_plain(raw) if coded else raw), end


@lru_cache(maxsize=4096)
def _short_plain(raw: bytes) -> bytes:
    return bytes(decode_huffman(raw))


def _plain(raw: bytes) -> bytes:
    # Names and short values recur; long ones would only fill the cache.
    return _short_plain(raw) if len(raw) <= 64 else bytes(decode_huffman(raw))


# Encoding. Without a dynamic table the bytes of a field are always the same, so they are cached for all connections.
# Our responses have few fields, so this costs only some tens of bytes each.

_NAMES: dict[bytes, int] = {}
_WHOLE: dict[Field, int] = {}
for _index in range(_FIRST_DYNAMIC - 1, 0, -1):
    _NAMES[_STATIC[_index][0]] = _index
    _WHOLE[_STATIC[_index]] = _index


def encode(field: Field) -> bytes:
    """Returns one field's bytes; the name must be lower case."""
    whole = _WHOLE.get(field)
    if whole is not None:
        return bytes((0x80 | whole,))
    name, value = field
    index = _NAMES.get(name)
    start = _number(index, 0x0F) if index is not None else b"\0" + _number(len(name), 0x7F) + name
    return start + _number(len(value), 0x7F) + value


def _number(value: int, mask: int) -> bytes:
    if value < mask:
        return bytes((value,))
    value -= mask
    coded = bytearray((mask,))
    while value >= 0x80:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)
