"""The requests of the scenarios and the results of measuring them. Plain values that know no server."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from bench.records import NESTED, UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, sent repeatedly."""

    verb: str
    path: str
    content_type: str = ""
    body: bytes = b""
    accept: str = "*/*"

    def wire(self) -> bytes:
        """Returns the request as HTTP/1.1."""
        lines = [f"{self.verb} {self.path} HTTP/1.1", "host: bench", f"accept: {self.accept}"]
        if self.body:
            lines += [f"content-type: {self.content_type}", f"content-length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Result:
    """Requests per second, latencies in milliseconds, and the servers' CPU time per request in microseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float = 0.0


GET = Request("GET", "/v1/dishes/dish-0")
LIST = Request("GET", "/v1/dishes")
POST = Request("POST", "/v1/dishes", "application/json", json.dumps(NESTED).encode())
TICKS = Request("GET", "/v1/ticks", accept="application/x-ndjson")


def uploads() -> tuple[Request, Request]:
    """Returns requests that upload the same bytes raw and as base64 in JSON."""
    data = bytes(range(256)) * (UPLOAD_BYTES // 256)
    blob = b'{"data":"%s","contentType":"application/octet-stream"}' % base64.b64encode(data)
    return (
        Request("PUT", "/v1/stored/blob", "application/octet-stream", data),
        Request("POST", "/v1/blobs", "application/json", blob),
    )


def percentile(values: list[float], share: float) -> float:
    """Returns the smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
