"""Which characters a name must not have, because it is shown in logs, tables, terminals and pages.

Pure. Knows no service.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from .errors import Fault

# Cc: a line break could forge a line of a log. Zl and Zp break lines too. Cs cannot be encoded.
_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Marks, embeddings, overrides and isolates change the order in which text is shown (UAX 9, 2.1 to 2.4): a name could
# look like another one. The joiners U+200C and U+200D are not among them; Persian, Hindi and emoji need those.
_DIRECTION = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
)
# Shown as nothing at all, and needed by no language inside a name: Unicode's Default_Ignorable_Code_Point without those
# above and below. The variation selectors are not among them; emoji, Mongolian and Japanese names need those. The tags
# (U+E0000 to U+E007F) can carry a whole hidden text.
_INVISIBLE = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u2065\u3164\ufeff\uffa0"
) | {
    chr(point)
    for first, last in (
        (0xFFF0, 0xFFFB),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE00FF),
        (0xE01F0, 0xE0FFF),
    )
    for point in range(first, last + 1)
}


def character_faults(field: str, name: str) -> Iterator[Fault]:
    """Yields the fault of a name with control characters, or with ones that are invisible or change its direction."""
    if name.isascii() and name.isprintable():
        return
    for sign in name:
        if unicodedata.category(sign) in _CATEGORIES:
            yield Fault(field, f"must not contain control characters, such as U+{ord(sign):04X}")
            return
        if sign in _DIRECTION or sign in _INVISIBLE:
            what = "change the direction of text" if sign in _DIRECTION else "are invisible"
            yield Fault(field, f"must not contain characters that {what}, such as U+{ord(sign):04X}")
            return
