"""What the supervisor is told, and what it tells each worker: two frozen values that travel as JSON arguments.

They hold no secret: settings are read by each worker anew. It knows the standard library only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

WORKER_OPTION = "--as-worker"


class _Json:
    """A dataclass that is written and read as one line."""

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))  # type: ignore[call-overload]

    @classmethod
    def read(cls, text: str) -> Self:
        """From JSON. Raises ValueError where it is none of ours."""
        try:
            found: dict[str, Any] = json.loads(text)
            return cls(**found)
        except TypeError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(_Json):
    """The supervisor's: `command` runs a worker, once its slot is appended. Ports are as asked, None where unused."""

    command: list[str]
    workers: int
    http_host: str
    http_port: int
    grpc_host: str
    grpc_port: int | None
    engine: str
    """What serves gRPC; `builtin` accepts on sockets that the supervisor has bound."""
    metrics_host: str
    metrics_port: int | None
    metrics_dir: str | None
    stop_seconds: float
    """How long a worker may take to end after it was told to; then it is killed."""
    hang_seconds: float
    start_seconds: float
    secure: bool
    log_format: Literal["auto", "json", "console"]
    log_level: str
    doubts: list[str]
    """What is logged once, when the workers are started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot(_Json):
    """A worker's: its number of how many, and file descriptors and ports it is given."""

    index: int
    workers: int
    channel: int
    """A stream socket to the supervisor."""
    http: int
    """The slot's own socket of the HTTP port."""
    grpc: int | None
    """The same of the gRPC port; None on the single port, and where the engine binds its port by itself."""
    http_host: str
    http_port: int
    grpc_host: str
    grpc_port: int | None
    metrics_port: int | None
    metrics_dir: str
    private_dir: bool
    """The folder is the supervisor's own, to be removed with it."""
