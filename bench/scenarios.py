"""Runs a plan: every server in turn, in several rounds, so that a busy moment affects all of them.

It starts the servers, checks that they answer alike, and returns medians; it prints nothing.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bench import answers, match, peers, rpc_load
from bench.load import Generator, measure
from bench.peers import DIPTYCH, Started
from bench.plan import CONNECT, FIRST, GRPC, LINES, ROUTES, SCENARIOS, UNARY, UPLOADS, Plan
from bench.process import Server, pin, server
from bench.request import TICKS, Request, Result, median, ticks, uploads
from bench.slow import Upload, first_byte, stream, upload
from bench.wide import path

RAW_UPLOAD, JSON_UPLOAD = "16 MiB raw", "16 MiB in JSON"

Say = Callable[[str], None]
Once = Callable[[Server], Result]


@dataclass
class Measured:
    """What was measured, by scenario and server; empty for scenarios that are not in the plan."""

    load: dict[str, dict[str, Result]] = field(default_factory=dict)
    """Unary calls over HTTP, Connect and gRPC, and messages of a stream."""
    routes: dict[int, Result] = field(default_factory=dict)
    match: dict[int, float] = field(default_factory=dict)
    uploads: dict[str, dict[str, Upload]] = field(default_factory=dict)
    streams: dict[str, Result] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def run(plan: Plan, load: Generator, cores: tuple[int | None, int | None], say: Say) -> Measured:
    """Measures everything in the plan on this machine."""
    servers_core, own_core = cores
    pin(own_core)
    measured = Measured()
    with Started(servers_core) as started:
        say("starting the servers")
        started.start(plan.needed())
        measured.missing = started.missing
        measured.idle = {name: one.memory() for name, one in started.running.items()}
        for scenario in (name for name in SCENARIOS if name in plan.scenarios and name != ROUTES):
            servers = started.of(SCENARIOS[scenario])
            say(scenario)
            if scenario == UPLOADS:
                measured.uploads = _uploads(servers, plan)
            elif scenario == FIRST:
                measured.streams = _rounds(servers, plan, lambda one: first_byte(one, TICKS, plan.streams))
            else:
                measured.load[scenario] = _rounds(servers, plan, _once(scenario, servers, plan, load))
            if scenario in UNARY:
                measured.peaks = {one.name: one.peak() for one in started.of((DIPTYCH, *peers.PEERS))}
    if ROUTES in plan.scenarios:
        say(ROUTES)
        measured.routes = _routes(plan, load, servers_core)
        measured.match = match.apart((match.FEW, match.MANY), servers_core)
    return measured


def _once(scenario: str, servers: list[Server], plan: Plan, load: Generator) -> Once:
    """Returns what measures one run of a scenario, once the servers' answers are checked."""
    if scenario in GRPC:
        _, by_client = rpc_load.client()
        rpc_load.check(servers)
        return lambda one: by_client(one, GRPC[scenario], plan.seconds)
    if scenario == LINES:
        return lambda one: stream(one, ticks(plan.messages), plan.messages)
    request = UNARY[scenario] if scenario in UNARY else CONNECT[scenario]
    check = answers.check if scenario in UNARY else answers.check_connect
    check(servers, request)
    return lambda one: measure(load, one, request, plan.seconds)


def _uploads(servers: list[Server], plan: Plan) -> dict[str, dict[str, Upload]]:
    return {
        name: {one.name: upload(one, request, plan.uploads) for one in servers}
        for name, request in zip((RAW_UPLOAD, JSON_UPLOAD), uploads(), strict=True)
    }


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


def _rounds(servers: Iterable[Server], plan: Plan, once: Once) -> dict[str, Result]:
    """Returns the medians of each server's rounds; the servers take turns."""
    found: defaultdict[str, list[Result]] = defaultdict(list)
    for _ in range(plan.rounds):
        for one in servers:
            found[one.name].append(once(one))
    return {name: median(results) for name, results in found.items()}
