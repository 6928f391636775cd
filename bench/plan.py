"""What is measured: the scenarios, the servers that each compares, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bench import peers
from bench.peers import COPYING, DIPTYCH, FASTEST, PYDANTIC
from bench.request import CONNECT_JSON, CONNECT_PROTO, GET, LIST, POST, Request

UNARY: Mapping[str, Request] = {"GET one": GET, "POST nested": POST, "GET list of 100": LIST}
CONNECT: Mapping[str, Request] = {
    "Connect JSON, get": CONNECT_JSON["get"],
    "Connect JSON, nested": CONNECT_JSON["post"],
    "Connect protobuf, get": CONNECT_PROTO["get"],
    "Connect protobuf, nested": CONNECT_PROTO["post"],
}
GRPC: Mapping[str, str] = {"gRPC get": "get", "gRPC nested": "post", "gRPC list of 100": "list"}
"""The method of each scenario, as a key of `rpc_load.METHODS`."""
LINES, FIRST = "NDJSON stream, a message", "First message of a stream"
UPLOADS, ROUTES = "Uploads of 16 MiB", "Routes"

_SINGLE = (DIPTYCH, *peers.FEATURES, *peers.CODECS, *peers.PEERS)
SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "GET one": _SINGLE,
    "POST nested": _SINGLE,
    "GET list of 100": (DIPTYCH, COPYING, *peers.CODECS, *peers.PEERS),
    **dict.fromkeys(CONNECT, (DIPTYCH, peers.CONNECT)),
    **dict.fromkeys(GRPC, peers.RPC),
    LINES: (DIPTYCH, *peers.CODECS, PYDANTIC, FASTEST),
    FIRST: peers.WHOLE,
    UPLOADS: peers.WHOLE,
    ROUTES: (),
}
"""The servers of each scenario. That of routes starts its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The scenarios and servers, the duration of a run in seconds, and the number of rounds and of repetitions."""

    seconds: float
    rounds: int
    streams: int
    uploads: int
    messages: int
    scenarios: frozenset[str] = frozenset(SCENARIOS)
    servers: frozenset[str] = frozenset(peers.STARTS)

    def needed(self) -> list[str]:
        """Returns the servers to start, in their order."""
        wanted = {name for scenario in self.scenarios for name in SCENARIOS[scenario]}
        return [name for name in peers.STARTS if name in wanted & self.servers]

    def narrowed(self, scenarios: Iterable[str], servers: Iterable[str], rounds: int | None) -> Plan:
        """Returns a plan of what contains one of the texts, Diptych, and so many rounds. Empty and None change nothing.

        Raises RuntimeError for a text that no scenario or server contains.
        """
        return replace(
            self,
            scenarios=self.scenarios if not scenarios else _found(scenarios, SCENARIOS),
            servers=self.servers if not servers else _found(servers, peers.STARTS) | {DIPTYCH},
            rounds=self.rounds if rounds is None else rounds,
        )


def _found(texts: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    found = {text: {name for name in names if text.lower() in name.lower()} for text in texts}
    for text, some in found.items():
        if not some:
            raise RuntimeError(f"{text!r} is in none of these names: {', '.join(names)}")
    return frozenset().union(*found.values())


FULL = Plan(seconds=2, rounds=5, streams=60, uploads=3, messages=100_000)
# Everything that a budget needs, in less than two minutes.
QUICK = Plan(
    seconds=1,
    rounds=1,
    streams=20,
    uploads=1,
    messages=50_000,
    scenarios=FULL.scenarios - {"Connect protobuf, nested", "gRPC nested", "gRPC list of 100"},
    servers=FULL.servers - {peers.NO_NATIVE, peers.PYDANTIC_GRANIAN, peers.JSON_FORMAT},
)
