"""The measured servers by name, how each is started, and which of them each scenario compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack

from bench.envoy import envoy
from bench.granian import granian
from bench.grpc_gateway import grpc_gateway
from bench.process import Server, Unavailable, server

DIPTYCH = "Diptych"
ACCESS_LOG, API_KEY, INTERCEPTOR = "Diptych, access log", "Diptych, API key", "Diptych, interceptor"
ALL_THREE = "Diptych, API key + interceptor + access log"
NO_RUST, NO_NATIVE = "Diptych, JSON by protobuf-py", "Diptych, JSON by json_format"
COPYING = "Diptych, copying servicer"
RAW, RAW_GRANIAN = "raw ASGI", "raw ASGI on granian"
PYDANTIC, PYDANTIC_GRANIAN = "FastAPI + Pydantic", "FastAPI + Pydantic on granian"
FASTEST, JSON_FORMAT = "FastAPI, fastest form", "FastAPI + json_format"
ENVOY, GRPC_GATEWAY = "Envoy → grpc.aio", "grpc-gateway → grpc.aio"
SINGLE_PORT, GRPCIO, NATIVE, GRPC_AIO = "Diptych, single port", "Diptych, grpcio", "Diptych, native", "grpc.aio"
CONNECT = "connectrpc"

Start = Callable[[str, int | None], AbstractContextManager[Server]]
"""Takes the server's name and its core; raises Unavailable."""


def _own(module: str, *arguments: str) -> Start:
    return lambda name, core: server(name, module, core, *arguments)


def _on_granian(module: str) -> Start:
    return lambda name, core: granian(name, module, core)


_THREE = ("--api-key", "--interceptor", "--access-log")

STARTS: Mapping[str, Start] = {
    DIPTYCH: _own("gateway"),
    API_KEY: _own("gateway", "--api-key"),
    INTERCEPTOR: _own("gateway", "--interceptor"),
    ACCESS_LOG: _own("gateway", "--access-log"),
    ALL_THREE: _own("gateway", *_THREE),
    NO_RUST: _own("gateway", "--codec", "native"),
    NO_NATIVE: _own("gateway", "--codec", "fallback"),
    COPYING: _own("gateway", "--copying"),
    RAW: _own("raw"),
    RAW_GRANIAN: _on_granian("raw"),
    PYDANTIC: _own("handwritten"),
    PYDANTIC_GRANIAN: _on_granian("handwritten"),
    FASTEST: _own("fastest"),
    JSON_FORMAT: _own("jsonformat"),
    GRPC_GATEWAY: grpc_gateway,
    ENVOY: envoy,
    SINGLE_PORT: _own("gateway", "--single-port"),
    GRPCIO: _own("gateway", "--engine", "grpcio"),
    NATIVE: _own("gateway", "--engine", "native"),
    GRPC_AIO: _own("grpcaio"),
    CONNECT: _own("connect"),
}

PEERS = (RAW, RAW_GRANIAN, PYDANTIC, PYDANTIC_GRANIAN, FASTEST, JSON_FORMAT, GRPC_GATEWAY, ENVOY)
CODECS = (NO_RUST, NO_NATIVE)
FEATURES = (API_KEY, INTERCEPTOR, ACCESS_LOG, ALL_THREE)
WHOLE = (DIPTYCH, RAW, PYDANTIC, JSON_FORMAT, ENVOY)
"""Those that serve the uploads and the stream of the kitchen too."""
RPC = (DIPTYCH, SINGLE_PORT, GRPCIO, NATIVE, GRPC_AIO)


class Started:
    """The servers that run, and why others do not."""

    def __init__(self, core: int | None) -> None:
        self.core = core
        self.running: dict[str, Server] = {}
        self.missing: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, names: Iterable[str]) -> None:
        """Starts the named servers; one that is not available is noted in `missing`."""
        for name in names:
            try:
                self.running[name] = self._stack.enter_context(STARTS[name](name, self.core))
            except Unavailable as missing:
                self.missing[name] = str(missing)

    def of(self, names: Iterable[str]) -> list[Server]:
        """Returns those of the named servers that run."""
        return [self.running[name] for name in names if name in self.running]
