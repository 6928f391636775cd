"""Files whose end is lost, as of an upload that was cut off: knows them, and gives them a new end.

Knows no PDF library.
"""

from __future__ import annotations

import mmap
import re
from collections import deque
from pathlib import Path

# `12 0 obj << ... /Type /Catalog` (ISO 32000-1, 7.3.10 and 7.7.2).
_OBJECT = re.compile(rb"(?<!\d)(\d{1,7})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj\b")
_CATALOG = re.compile(rb"/Type[\0\t\n\f\r ]*/Catalog\b")
_REACH = 1_000_000  # bytes from the catalog's type back to its object


def is_cut(path: str) -> bool:
    """Whether the last object of a file is not followed by a start of the table of objects (ISO 32000-1, 7.5.5)."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.rfind(b"startxref") < data.rfind(b"endobj")


def with_trailer(path: str) -> bytes | None:
    """Returns a file with a trailer that names the last catalog in it, None if it shows none."""
    data = Path(path).read_bytes()
    catalogs = deque(_CATALOG.finditer(data), maxlen=1)
    if not catalogs:
        return None
    (found,) = catalogs
    at = data.rfind(b"obj", max(found.start() - _REACH, 0), found.start())
    head = _OBJECT.search(data, max(at - 32, 0), at + 3)
    if not head:
        return None
    return data + b"\nendstream\nendobj\ntrailer\n<< /Root %s %s R >>\nstartxref\n0\n%%%%EOF\n" % head.groups()
