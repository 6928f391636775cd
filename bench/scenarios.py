"""The scenarios and their order: every server in turn, in several rounds, so that a busy moment affects all of them.

It starts the servers, checks that they answer alike, and returns medians; it prints nothing.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from bench import answers, match, peers, rpc_load
from bench.load import Generator, measure
from bench.peers import COPYING, DIPTYCH, FASTEST, PYDANTIC, Started
from bench.process import Server, pin, server
from bench.request import CONNECT_JSON, CONNECT_PROTO, GET, LIST, POST, TICKS, Request, Result, median, ticks, uploads
from bench.slow import Upload, first_byte, stream, upload
from bench.wide import path

UNARY: dict[str, tuple[Request, tuple[str, ...]]] = {
    "GET one": (GET, (DIPTYCH, *peers.FEATURES, *peers.CODECS, *peers.PEERS)),
    "POST nested": (POST, (DIPTYCH, *peers.FEATURES, *peers.CODECS, *peers.PEERS)),
    "GET list of 100": (LIST, (DIPTYCH, COPYING, *peers.CODECS, *peers.PEERS)),
}
"""The request of each scenario, and the servers that it compares."""
CONNECT: dict[str, Request] = {
    "Connect JSON, get": CONNECT_JSON["get"],
    "Connect JSON, nested": CONNECT_JSON["post"],
    "Connect protobuf, get": CONNECT_PROTO["get"],
    "Connect protobuf, nested": CONNECT_PROTO["post"],
}
GRPC = {"gRPC get": "get", "gRPC nested": "post", "gRPC list of 100": "list"}
"""The method of each scenario, as a key of `rpc_load.METHODS`."""
LINES = "NDJSON stream, a message"
RAW_UPLOAD, JSON_UPLOAD = "16 MiB raw", "16 MiB in JSON"

T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration in seconds and the number of rounds, of which the medians are reported."""

    seconds: float
    rounds: int
    streams: int
    uploads: int
    messages: int
    servers: frozenset[str] = frozenset(peers.STARTS)
    scenarios: frozenset[str] = frozenset((*UNARY, *CONNECT, *GRPC))


FULL = Plan(seconds=2, rounds=9, streams=60, uploads=3, messages=100_000)
# Everything that a budget needs, in less than two minutes.
QUICK = Plan(
    seconds=1,
    rounds=1,
    streams=20,
    uploads=1,
    messages=50_000,
    servers=FULL.servers - {peers.NO_NATIVE, peers.PYDANTIC_GRANIAN, peers.JSON_FORMAT},
    scenarios=FULL.scenarios - {"Connect protobuf, nested", "gRPC nested", "gRPC list of 100"},
)


@dataclass
class Measured:
    """Everything that was measured, by scenario and server."""

    load: dict[str, dict[str, Result]] = field(default_factory=dict)
    """Unary calls over HTTP, Connect and gRPC, and messages of a stream."""
    routes: dict[int, Result] = field(default_factory=dict)
    match: dict[int, float] = field(default_factory=dict)
    uploads: dict[str, dict[str, Upload]] = field(default_factory=dict)
    streams: dict[str, Result] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rpc_client: str = ""


def run(plan: Plan, load: Generator, cores: tuple[int | None, int | None], say: Say) -> Measured:
    """Measures everything on this machine."""
    servers_core, own_core = cores
    pin(own_core)
    measured = Measured()
    with Started(servers_core) as started:
        say("starting the servers")
        started.start(name for name in peers.STARTS if name in plan.servers)
        measured.missing = started.missing
        measured.idle = {name: one.memory() for name, one in started.running.items()}
        _unary(measured, plan, load, started, say)
        measured.peaks = {one.name: one.peak() for one in started.of((DIPTYCH, *peers.PEERS))}
        _rpc(measured, plan, load, started, say)
        _slow(measured, plan, started, say)
    say(f"{match.MANY:,} routes")
    measured.routes = _routes(plan, load, servers_core)
    measured.match = match.apart((match.FEW, match.MANY), servers_core)
    return measured


def _unary(measured: Measured, plan: Plan, load: Generator, started: Started, say: Say) -> None:
    for name, (request, names) in _chosen(plan, UNARY):
        servers = started.of(names)
        answers.check(servers, request)
        say(name)
        measured.load[name] = _rounds(servers, plan, lambda one, r=request: measure(load, one, r, plan.seconds))  # type: ignore[misc]


def _rpc(measured: Measured, plan: Plan, load: Generator, started: Started, say: Say) -> None:
    for name, request in _chosen(plan, CONNECT):
        servers = started.of((DIPTYCH, peers.CONNECT))
        answers.check_connect(servers, request)
        say(name)
        measured.load[name] = _rounds(servers, plan, lambda one, r=request: measure(load, one, r, plan.seconds))  # type: ignore[misc]
    measured.rpc_client, by_client = rpc_load.client()
    servers = started.of(peers.RPC)
    rpc_load.check(servers)
    for name, method in _chosen(plan, GRPC):
        say(name)
        measured.load[name] = _rounds(servers, plan, lambda one, m=method: by_client(one, m, plan.seconds))  # type: ignore[misc]


def _chosen(plan: Plan, scenarios: dict[str, T]) -> list[tuple[str, T]]:
    return [(name, scenario) for name, scenario in scenarios.items() if name in plan.scenarios]


def _slow(measured: Measured, plan: Plan, started: Started, say: Say) -> None:
    say(LINES)
    lines = started.of((DIPTYCH, *peers.CODECS, PYDANTIC, FASTEST))
    measured.load[LINES] = _rounds(lines, plan, lambda one: stream(one, ticks(plan.messages), plan.messages))
    say("first byte of a stream")
    measured.streams = _rounds(started.of(peers.WHOLE), plan, lambda one: first_byte(one, TICKS, plan.streams))
    for name, request in zip((RAW_UPLOAD, JSON_UPLOAD), uploads(), strict=True):
        say(name)
        measured.uploads[name] = {one.name: upload(one, request, plan.uploads) for one in started.of(peers.WHOLE)}


def _routes(plan: Plan, load: Generator, core: int | None) -> dict[int, Result]:
    with contextlib.ExitStack() as stack:
        sizes = {
            routes: stack.enter_context(server(str(routes), "gateway", core, "--routes", str(routes)))
            for routes in (match.FEW, match.MANY)
        }
        found = _rounds(sizes.values(), plan, lambda one: measure(load, one, _wide(one), plan.seconds))
        return {routes: found[one.name] for routes, one in sizes.items()}


def _wide(one: Server) -> Request:
    return Request("GET", path(int(one.name) // 2))


def _rounds(servers: Iterable[Server], plan: Plan, once: Callable[[Server], Result]) -> dict[str, Result]:
    """Returns the medians of each server's rounds; the servers take turns."""
    found: defaultdict[str, list[Result]] = defaultdict(list)
    for _ in range(plan.rounds):
        for one in servers:
            found[one.name].append(once(one))
    return {name: median(results) for name, results in found.items()}
