"""Range requests and conditional GETs (RFC 9110 sections 13 and 14), applied to a finished reply.

Pure: takes a reply and the request's headers, returns a reply. It knows no message; the servicer sets `etag` and
`last-modified` as metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...reply import Reply
from ...status import Code, error

# RFC 9110 section 14.1.2, one range only: a request for several gets the whole body, as section 14.2 allows.
_ONE = re.compile(rb"[ \t]*bytes[ \t]*=[ \t]*(\d{1,20})?[ \t]*-[ \t]*(\d{1,20})?[ \t]*", re.IGNORECASE)
_TAG = re.compile(rb'(?:W/)?"[^"]*"')
_OF_CONTENT = (b"content-type", b"content-length")


def applied(reply: Reply, headers: Mapping[bytes, bytes]) -> Reply:
    """Returns the reply to a GET as its headers request it: whole, in part (206), or without a body (304).

    Changes only a 200 without `content-range`, which a servicer sets when it serves ranges itself. Raises OUT_OF_RANGE
    with http 416 for a range past the end.
    """
    named = dict(reply.headers)
    if reply.status != 200 or b"content-range" in named:
        return reply
    if _unchanged(named, headers):
        return Reply(304, [pair for pair in reply.headers if pair[0] not in _OF_CONTENT], b"")
    asked = _asked(named, headers)
    if asked is None:
        return Reply(200, [*reply.headers, (b"accept-ranges", b"bytes")], reply.body)
    size = len(reply.body)
    first, last = _between(asked, size)
    body = reply.body[first : last + 1]
    kept = [pair for pair in reply.headers if pair[0] != b"content-length"]
    about = [
        (b"content-length", b"%d" % len(body)),
        (b"content-range", b"bytes %d-%d/%d" % (first, last, size)),
        (b"accept-ranges", b"bytes"),
    ]
    return Reply(206, [*kept, *about], body)


def _unchanged(named: Mapping[bytes, bytes], headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client's copy is current (section 13.2.2: `if-none-match` precedes `if-modified-since`)."""
    tags, etag = headers.get(b"if-none-match"), named.get(b"etag")
    if tags is not None:
        return etag is not None and (tags.strip() == b"*" or _weak(etag) in map(_weak, _TAG.findall(tags)))
    since = headers.get(b"if-modified-since")
    # Dates are compared as text: a client sends back the date it received, and any other date gets the body again.
    return since is not None and since.strip() == named.get(b"last-modified")


def _weak(tag: bytes) -> bytes:
    return tag.removeprefix(b"W/")


def _asked(named: Mapping[bytes, bytes], headers: Mapping[bytes, bytes]) -> re.Match[bytes] | None:
    """The requested range, or None if there is none or `if-range` does not match."""
    found = _ONE.fullmatch(headers.get(b"range", b""))
    if found is None or (found[1] is None and found[2] is None):
        return None
    if found[1] is not None and found[2] is not None and int(found[1]) > int(found[2]):
        return None  # section 14.1.1: an invalid range, which is ignored
    condition = headers.get(b"if-range")
    if condition is not None:
        condition = condition.strip()
        # Section 13.1.5: only a strong entity tag matches.
        known = named.get(b"etag") if condition.startswith((b'"', b"W/")) else named.get(b"last-modified")
        if condition != known or condition.startswith(b"W/"):
            return None
    return found


def _between(asked: re.Match[bytes], size: int) -> tuple[int, int]:
    """The positions of the first and the last byte. Raises OUT_OF_RANGE for a range past the end."""
    if asked[1] is None:
        first, last = max(0, size - int(asked[2])), size - 1
    else:
        first, last = int(asked[1]), size - 1 if asked[2] is None else min(int(asked[2]), size - 1)
    if first > last:
        headers = (("content-range", f"bytes */{size}"), ("accept-ranges", "bytes"))
        raise error(
            Code.OUT_OF_RANGE, f"range not satisfiable; the content has {size} bytes", http=416, headers=headers
        )
    return first, last
