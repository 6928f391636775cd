"""Parts of a whole download, and downloads the client has already: RFC 9110 sections 13 and 14 over a finished reply.

Pure: a reply and the request's headers in, a reply out. It knows no message; `etag` and `last-modified` are headers
that the servicer set, as metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...reply import Reply
from ...status import Code, error

# RFC 9110 section 14.1.2, one range only: who asks for several is sent the whole, as section 14.2 allows.
_ONE = re.compile(rb"[ \t]*bytes[ \t]*=[ \t]*(\d{1,20})?[ \t]*-[ \t]*(\d{1,20})?[ \t]*", re.IGNORECASE)
_TAG = re.compile(rb'(?:W/)?"[^"]*"')
_OF_CONTENT = (b"content-type", b"content-length")


def applied(reply: Reply, headers: Mapping[bytes, bytes]) -> Reply:
    """The reply to a GET as its headers ask for it: whole, in part (206), or not at all (304).

    Only a plain 200 that the servicer did not cut itself is touched. Raises OUT_OF_RANGE with http 416 for a range
    that lies behind the end.
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
    """Whether the client has it (section 13.2.2): a tag goes before a date."""
    tags, etag = headers.get(b"if-none-match"), named.get(b"etag")
    if tags is not None:
        return etag is not None and (tags.strip() == b"*" or _weak(etag) in map(_weak, _TAG.findall(tags)))
    since = headers.get(b"if-modified-since")
    # The very date it was told, and no reading of dates: what is not known to be old is sent again.
    return since is not None and since.strip() == named.get(b"last-modified")


def _weak(tag: bytes) -> bytes:
    return tag.removeprefix(b"W/")


def _asked(named: Mapping[bytes, bytes], headers: Mapping[bytes, bytes]) -> re.Match[bytes] | None:
    """The one range that is asked for, of what the client thinks it is."""
    found = _ONE.fullmatch(headers.get(b"range", b""))
    if found is None or (found[1] is None and found[2] is None):
        return None
    if found[1] is not None and found[2] is not None and int(found[1]) > int(found[2]):
        return None  # no range at all (section 14.1.1), and what is none is passed over
    condition = headers.get(b"if-range")
    if condition is not None:
        condition = condition.strip()
        # Only a strong tag holds for parts (section 13.1.5).
        known = named.get(b"etag") if condition.startswith((b'"', b"W/")) else named.get(b"last-modified")
        if condition != known or condition.startswith(b"W/"):
            return None
    return found


def _between(asked: re.Match[bytes], size: int) -> tuple[int, int]:
    """The first and the last byte."""
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
