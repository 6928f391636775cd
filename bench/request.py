"""The requests of the scenarios and the results of measuring them. Plain values that know no server."""

from __future__ import annotations

import base64
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.protobuf import json_format

from bench.records import NESTED, UPLOAD_BYTES
from kitchen.v1 import kitchen_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, sent repeatedly."""

    verb: str
    path: str
    content_type: str = ""
    body: bytes = b""
    accept: str = "*/*"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""

    def wire(self) -> bytes:
        """Returns the request as HTTP/1.1."""
        lines = [f"{self.verb} {self.path} HTTP/1.1", "host: localhost", f"accept: {self.accept}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines += [f"content-type: {self.content_type}", f"content-length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Result:
    """Requests per second, latencies in milliseconds, and the servers' CPU time per request in microseconds.

    Of several rounds it holds the medians, and the least CPU time.
    """

    rate: float
    p50: float
    p99: float
    requests: int = 0
    """How many were answered."""
    cpu: float = 0.0
    cpu_least: float = 0.0

    def used(self, seconds: float) -> Result:
        """Returns the result of servers that used so much CPU time for all requests."""
        each = seconds / self.requests * 1e6
        return replace(self, cpu=each, cpu_least=each)


def median(rounds: Sequence[Result]) -> Result:
    """Returns the medians of several rounds, and the least CPU time."""

    def middle(column: Callable[[Result], float]) -> float:
        return statistics.median(map(column, rounds))

    return Result(
        rate=middle(lambda one: one.rate),
        p50=middle(lambda one: one.p50),
        p99=middle(lambda one: one.p99),
        requests=sum(one.requests for one in rounds),
        cpu=middle(lambda one: one.cpu),
        cpu_least=min(one.cpu_least for one in rounds),
    )


GET = Request("GET", "/v1/dishes/dish-0")
LIST = Request("GET", "/v1/dishes")
POST = Request("POST", "/v1/dishes", "application/json", json.dumps(NESTED).encode())
TICKS = Request("GET", "/v1/ticks", accept="application/x-ndjson")


_SERVICE = "/kitchen.v1.KitchenService"
_DISH = pb.CreateDishRequest(dish=json_format.ParseDict(NESTED, pb.Dish()))
CONNECT_JSON = {
    "get": Request("POST", f"{_SERVICE}/GetDish", "application/json", b'{"dishId":"dish-0"}'),
    "post": Request("POST", f"{_SERVICE}/CreateDish", "application/json", json.dumps({"dish": NESTED}).encode()),
}
CONNECT_PROTO = {
    "get": Request(
        "POST", f"{_SERVICE}/GetDish", "application/proto", pb.GetDishRequest(dish_id="dish-0").SerializeToString()
    ),
    "post": Request("POST", f"{_SERVICE}/CreateDish", "application/proto", _DISH.SerializeToString()),
}


def ticks(count: int) -> Request:
    """Returns the request of a stream of `count` messages, as NDJSON."""
    return Request("GET", f"/v1/ticks?count={count}", accept="application/x-ndjson")


def uploads(size: int = UPLOAD_BYTES) -> tuple[Request, Request]:
    """Returns requests that upload the same `size` bytes raw and as base64 in JSON."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    blob = b'{"data":"%s","contentType":"application/octet-stream"}' % base64.b64encode(data)
    return (
        Request("PUT", "/v1/stored/blob", "application/octet-stream", data),
        Request("POST", "/v1/blobs", "application/json", blob),
    )


def percentile(values: list[float], share: float) -> float:
    """Returns the smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
