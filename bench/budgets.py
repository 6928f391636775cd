"""The performance budgets: ratios of CPU time within one run, and whether each is held.

Load is judged by CPU time per request. A rate also depends on how the kernel shared the core with other processes, and
raw ASGI may not fill its core, so that its rate understates it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench import peers
from bench.match import FEW, MANY
from bench.peers import DIPTYCH
from bench.plan import CONNECT, GRPC, LINES, UNARY
from bench.records import UPLOAD_BYTES
from bench.request import Result
from bench.scenarios import Measured

GET, POST, LIST = UNARY
CONNECT_GET, GRPC_GET = next(iter(CONNECT)), next(iter(GRPC))
# In bodies: the received pieces, the joined body, the message's copy, and the base64 of a JSON body.
MEMORY_FACTOR = 4.0
BODY_MIB = UPLOAD_BYTES / 1024 / 1024

# Version 0.1 beside hand-written FastAPI: NDJSON_0_1 is FastAPI's CPU time per message divided by the gateway's,
# IDLE_0_1 the memory of the idle gateway divided by FastAPI's.
NDJSON_0_1, IDLE_0_1 = 1.17, 1.68

BOUNDS: tuple[tuple[str, str, str, float, str], ...] = (
    # scenario, server, what it is compared with, at least so many times its speed, what
    (GET, DIPTYCH, peers.RAW, 0.85, "GET, of raw ASGI"),
    (POST, DIPTYCH, peers.RAW, 0.8, "POST, of raw ASGI"),
    (GET, peers.ALL_THREE, peers.RAW, 0.5, "GET with an API key, an interceptor and the access log, of raw ASGI"),
    (GET, DIPTYCH, peers.PYDANTIC, 5.0, "GET over hand-written FastAPI"),
    (POST, DIPTYCH, peers.PYDANTIC, 5.0, "POST over hand-written FastAPI"),
    (LIST, DIPTYCH, peers.PYDANTIC, 2.5, "list over hand-written FastAPI"),
    (GET, DIPTYCH, peers.GRPC_GATEWAY, 12.0, "GET over grpc-gateway → grpc.aio"),
    (POST, DIPTYCH, peers.GRPC_GATEWAY, 12.0, "POST over grpc-gateway → grpc.aio"),
    (GET, DIPTYCH, peers.ENVOY, 15.0, "GET over Envoy → grpc.aio"),
    (POST, DIPTYCH, peers.ENVOY, 15.0, "POST over Envoy → grpc.aio"),
    (GRPC_GET, DIPTYCH, peers.GRPC_AIO, 5.0, "unary gRPC over grpc.aio"),
    (CONNECT_GET, DIPTYCH, peers.CONNECT, 4.0, "unary Connect JSON over connectrpc"),
    (GET, peers.NO_RUST, peers.PYDANTIC, 3.0, "GET without the Rust codec, over hand-written FastAPI"),
    (POST, peers.NO_RUST, peers.PYDANTIC, 2.0, "POST without the Rust codec, over hand-written FastAPI"),
)

HEAD = ("budget", "bound", "measured", "by least CPU", "by rate", "")


def budgets(measured: Measured) -> Iterator[tuple[str, ...]]:
    """Yields each budget: its name, the bound, the ratios by median CPU, least CPU and rate, and whether it is held.

    A budget whose scenario or servers were not to be measured is left out; one whose peer is missing is not.
    """
    for scenario, server, peer, bound, what in BOUNDS:
        results = measured.load.get(scenario, {})
        if server in results and peer in results:
            yield _at_least(what, bound, results[server], results[peer])
        elif server in results and peer in measured.missing:
            yield what, f"≥ {bound:g} ×", *[""] * 3, "not measured"
    lines = measured.load.get(LINES, {})
    if DIPTYCH in lines and peers.PYDANTIC in lines:
        faster = lines[peers.PYDANTIC].cpu / lines[DIPTYCH].cpu / NDJSON_0_1
        yield "NDJSON stream over version 0.1", "≥ 3 ×", f"{faster:.2f} ×", "", "", _mark(faster >= 3)
    if measured.routes:
        yield from _routes(measured.match, measured.routes[FEW], measured.routes[MANY])
    if peers.PYDANTIC in measured.idle:
        idle = measured.idle[DIPTYCH] / measured.idle[peers.PYDANTIC] / IDLE_0_1
        yield _at_most("memory of an idle gateway, of version 0.1's", 1.0, idle)
    for name, uploads in measured.uploads.items():
        each = uploads[DIPTYCH].memory / BODY_MIB
        yield _at_most(f"peak memory an upload, in bodies ({name})", MEMORY_FACTOR, each)


def _at_least(what: str, bound: float, own: Result, other: Result) -> tuple[str, ...]:
    found = other.cpu / own.cpu
    ratios = (f"{found:.2f} ×", f"{other.cpu_least / own.cpu_least:.2f} ×", f"{own.rate / other.rate:.2f} ×")
    return what, f"≥ {bound:g} ×", *ratios, _mark(found >= bound)


def _routes(match: Mapping[int, float], few: Result, many: Result) -> Iterator[tuple[str, ...]]:
    yield _at_most(f"a match among {MANY:,} routes, of one among {FEW}", 1.2, match[MANY] / match[FEW])
    yield (
        f"a request among {MANY:,} routes, of one among {FEW}",
        *("≤ 1.2 ×", f"{many.cpu / few.cpu:.2f} ×", f"{many.cpu_least / few.cpu_least:.2f} ×"),
        *(f"{few.rate / many.rate:.2f} ×", _mark(many.cpu / few.cpu <= 1.2)),
    )


def _at_most(what: str, bound: float, found: float) -> tuple[str, ...]:
    return what, f"≤ {bound:g} ×", f"{found:.2f} ×", "", "", _mark(found <= bound)


def _mark(held: bool) -> str:
    return "held" if held else "MISSED"
