"""The configuration of the supervisor and of each worker: two frozen values, passed as JSON arguments.

They hold no secrets: each worker reads the settings itself. It imports only the standard library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

WORKER_OPTION = "--as-worker"


class _JsonValue:
    """A dataclass that is written and read as one line of JSON."""

    def text(self) -> str:
        """Returns the value as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))  # type: ignore[call-overload]

    @classmethod
    def read(cls, text: str) -> Self:
        """Returns the value of this JSON. Raises ValueError if it is not one."""
        try:
            found: dict[str, Any] = json.loads(text)
            return cls(**found)
        except TypeError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(_JsonValue):
    """The supervisor's configuration. `command` runs a worker, once its slot is appended. Unused ports are None."""

    command: list[str]
    workers: int
    http_host: str
    http_port: int
    grpc_host: str
    grpc_port: int | None
    engine: str
    """The gRPC engine; `builtin` accepts on sockets that the supervisor has bound."""
    metrics_host: str
    metrics_port: int | None
    metrics_dir: str | None
    stop_seconds: float
    """How long a worker may take to end before it is killed."""
    hang_seconds: float
    start_seconds: float
    secure: bool
    log_format: Literal["auto", "json", "console"]
    log_level: str
    doubts: list[str]
    """Warnings that are logged once, when the workers start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot(_JsonValue):
    """A worker's configuration: its number, and its file descriptors and ports."""

    index: int
    workers: int
    channel: int
    """A stream socket to the supervisor."""
    http: int
    """The slot's socket of the HTTP port."""
    grpc: int | None
    """The slot's socket of the gRPC port; None with a single port, or if the engine binds the port itself."""
    http_host: str
    http_port: int
    grpc_host: str
    grpc_port: int | None
    metrics_port: int | None
    metrics_dir: str
    private_dir: bool
    """Whether the supervisor created the metrics directory, and removes it when it ends."""
