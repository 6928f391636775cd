"""A method of a service as both transports see it: its REST binding, its messages, how it may be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .types.base import Model

Q = TypeVar("Q", bound="Model")
R = TypeVar("R", bound="Model | None")


class Kind(Enum):
    """What is streamed."""

    UNARY = "unary"
    SERVER_STREAM = "server stream"
    CLIENT_STREAM = "client stream"
    DUPLEX = "duplex"


@dataclass(frozen=True)
class Resume:
    """How a broken stream continues: the request's field `after` takes the last value of the response's field `by`.

    Without `after` the stream is opened anew, and messages whose value of `by` was seen are dropped; without both,
    every message of the new stream counts.
    """

    after: str
    by: str


@dataclass(frozen=True, eq=False)
class Method(Generic[Q, R]):
    """A method. `path` is a template of google/api/http.proto; `body` is `*`, a field's name, or empty."""

    name: str  # "artificer.batch.v1.BatchService/GetJob"
    verb: str
    path: str
    body: str
    kind: Kind
    request: type[Q]
    response: type[R]  # NoneType for google.protobuf.Empty
    safe: bool = False  # may be repeated, since it changes nothing (more)
    idempotency: str = ""  # the request's field that tells a repeated request from a new one
    resume: Resume | None = None
    content: str = ""  # the field of a request that is the body's own bytes: a google.api.HttpBody, or the only `bytes`
