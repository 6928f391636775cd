"""The members of a case as they stand in `cases/*.json`, with their defaults.

It knows no contract and reads no file. `cases/README.md` describes what they mean.
"""

from __future__ import annotations

from typing import Annotated, Any

import grpc
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Json = dict[str, Any]


def _code(name: str) -> str:
    if name not in grpc.StatusCode.__members__:
        raise ValueError(f"unknown code; expected one of {', '.join(grpc.StatusCode.__members__)}")
    return name


CodeName = Annotated[str, AfterValidator(_code)]


def _listed(given: object) -> object:
    return [given] if isinstance(given, str) else given


RawMetadata = dict[str, Annotated[tuple[str, ...], BeforeValidator(_listed)]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fill(_Part):
    """A field of text or bytes, such as `content.data`, that is too large to stand in the table: that many `x`."""

    field: str
    bytes: int = Field(gt=0)


class Status(_Part):
    """The status with which the server ends the call."""

    code: CodeName = "OK"
    message: str = ""
    details: tuple[Json, ...] = ()


class Script(_Part):
    """What the server does."""

    responses: tuple[Json, ...] = ()
    responses_wire: tuple[str, ...] = ()
    repeat: int = Field(default=1, ge=1)
    fill: Fill | None = None
    read: int | None = Field(default=None, ge=0)
    wait: bool = False
    failures: tuple[Status, ...] = ()
    status: Status = Status()
    initial_metadata: RawMetadata = {}
    trailing_metadata: RawMetadata = {}


class Expectation(_Part):
    """What a client sees; None where it follows from what the server does."""

    code: CodeName | None = None
    message: str | None = None
    details: tuple[Json, ...] | None = None
    responses: tuple[Json, ...] | None = None
    count: int | None = Field(default=None, ge=0)
    attempts: int | None = Field(default=None, ge=1)
    initial_metadata: RawMetadata | None = None
    trailing_metadata: RawMetadata | None = None


class CaseText(_Part):
    """A case as it stands in a file."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$")
    why: str = Field(min_length=1)
    method: str
    metadata: RawMetadata = {}
    requests: tuple[Json, ...] = ({},)
    repeat: int = Field(default=1, ge=1)
    fill: Fill | None = None
    lockstep: bool = False
    deadline_seconds: float | None = Field(default=None, ge=0)
    cancel_after: int | None = Field(default=None, ge=0)
    tls: bool = False
    api_key: str | None = None
    server: Script = Script()
    expect: Expectation = Expectation()


class CaseFile(_Part):
    """A file of the table."""

    cases: tuple[CaseText, ...]
