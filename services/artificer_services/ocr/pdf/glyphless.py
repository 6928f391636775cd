"""A TrueType font whose only letter shows nothing: the font of text that is there to be found, but not seen.

ISO 32000-2, 9.7.4.2: a PDF document embeds the font once and maps every character to that letter. PDF/A requires
embedded fonts for invisible text too, at least in its first part.
"""

from __future__ import annotations

import struct

UNITS = 1000  # per em
ADVANCE = 500  # of every letter
ASCENT, DESCENT = 800, -200  # which make the height of a line that is marked by a viewer
NAME = "Glyphless"

_GLYPHS = 2  # .notdef, which must not be used, and the letter
_LETTER = 1


def cid_to_gid(count: int) -> bytes:
    """Returns the map of the CIDs 0 to `count` to glyphs: all but the first to the letter."""
    return b"\0\0" + struct.pack(">H", _LETTER) * count


def font_file() -> bytes:
    """Returns the font as the bytes of a TrueType file (OpenType 1.9)."""
    tables = {
        b"OS/2": _os2(),
        b"cmap": _cmap(),
        b"glyf": _letter(),
        b"head": _head(),
        b"hhea": _hhea(),
        b"hmtx": struct.pack(">Hh", ADVANCE, 0) * _GLYPHS,
        b"loca": struct.pack(">3H", 0, 0, len(_letter()) // 2),  # .notdef is empty
        b"maxp": struct.pack(">IH13H", 0x00010000, _GLYPHS, 2, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        b"name": _name(),
        b"post": struct.pack(">IIhhIIIII", 0x00030000, 0, -100, 50, 1, 0, 0, 0, 0),
    }
    offset = 12 + 16 * len(tables)
    directory, body = [], []
    for tag, data in sorted(tables.items()):
        directory.append(struct.pack(">4sIII", tag, _checksum(data), offset, len(data)))
        padded = data + b"\0" * (-len(data) % 4)
        body.append(padded)
        offset += len(padded)
    power = len(tables).bit_length() - 1
    ranges = (16 << power, power, 16 * (len(tables) - (1 << power)))
    font = struct.pack(">IHHHH", 0x00010000, len(tables), *ranges) + b"".join(directory) + b"".join(body)
    adjustment = (0xB1B0AFBA - _checksum(font)) & 0xFFFFFFFF
    place = font.index(_head())
    return font[: place + 8] + struct.pack(">I", adjustment) + font[place + 12 :]


def _letter() -> bytes:
    """Two points, which enclose nothing but span a letter's box: PDFium marks the box, of an empty letter a line."""
    header = struct.pack(">h4h", 2, 0, DESCENT, ADVANCE, ASCENT)
    outline = struct.pack(">2HH2B", 0, 1, 0, 1, 1)  # the end of each contour, no instructions, both on the curve
    return header + outline + struct.pack(">2h2h", 0, ADVANCE, DESCENT, ASCENT - DESCENT)


def _checksum(data: bytes) -> int:
    padded = data + b"\0" * (-len(data) % 4)
    total: int = sum(struct.unpack(f">{len(padded) // 4}I", padded))
    return total & 0xFFFFFFFF


def _head() -> bytes:
    return struct.pack(
        ">IIIIHHqqhhhhHHhhh", 0x00010000, 0x00010000, 0, 0x5F0F3CF5, 0b1011, UNITS, 0, 0,
        0, DESCENT, ADVANCE, ASCENT, 0, 8, 2, 0, 0,
    )  # fmt: skip


def _hhea() -> bytes:
    return struct.pack(">IhhhHhhhhhhhhhhhH", 0x00010000, ASCENT, DESCENT, 0, ADVANCE, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, _GLYPHS)  # fmt: skip  # noqa: E501


def _os2() -> bytes:
    return struct.pack(
        ">HhHHH11h10sIIII4sHHHhhhHHIIhhHHH", 4, ADVANCE, 400, 5, 0,  # 0: may be embedded without restrictions
        650, 600, 0, 75, 650, 600, 0, 350, 50, 300, 0, bytes(10), 0, 0, 0, 0, b"    ", 0x40, 0, 0xFFFF,
        ASCENT, DESCENT, 0, ASCENT, -DESCENT, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip


def _cmap() -> bytes:
    """Format 4 with the one segment that every table ends with: the PDF document maps codes to glyphs itself."""
    table = struct.pack(">HHHHHHHHHHhH", 4, 24, 0, 2, 2, 0, 0, 0xFFFF, 0, 0xFFFF, 1, 0)
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + table


def _name() -> bytes:
    names = {1: NAME, 2: "Regular", 3: NAME, 4: NAME, 5: "Version 1.0", 6: NAME}
    texts = {number: text.encode("utf-16-be") for number, text in names.items()}
    head, body = struct.pack(">HHH", 0, len(texts), 6 + 12 * len(texts)), b""
    for number, text in texts.items():
        head += struct.pack(">HHHHHH", 3, 1, 0x409, number, len(text), len(body))
        body += text
    return head + body
