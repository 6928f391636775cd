"""HTTP/2 on one connection: frames, HPACK and flow control below, ASGI above.

It knows no socket option and no route; the listener finds out which connections speak HTTP/2.
"""

from .frames import PREFACE
from .limits import Limits, Unread
from .only import http2_only
from .protocol import TOO_MANY, Http2Protocol
from .refusal import HEAD_TOO_LARGE, HeadTooLarge
from .requests import Apps

__all__ = [
    "HEAD_TOO_LARGE",
    "PREFACE",
    "TOO_MANY",
    "Apps",
    "HeadTooLarge",
    "Http2Protocol",
    "Limits",
    "Unread",
    "http2_only",
]
