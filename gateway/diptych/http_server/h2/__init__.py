"""HTTP/2 on a connection that has chosen it: frames, HPACK, flow control, and ASGI at the top.

It knows no socket option and no route; which connections speak HTTP/2 is the listener's to find out.
"""

from .frames import PREFACE
from .limits import Limits
from .only import http2_only
from .protocol import TOO_MANY, Apps, Http2Protocol
from .refusal import HEAD_TOO_LARGE, HeadTooLarge

__all__ = [
    "HEAD_TOO_LARGE",
    "PREFACE",
    "TOO_MANY",
    "Apps",
    "HeadTooLarge",
    "Http2Protocol",
    "Limits",
    "http2_only",
]
