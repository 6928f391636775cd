"""What all models share: their configuration, open enums, and the well-known types."""

from __future__ import annotations

import email.message
import os
from array import array
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    PlainSerializer,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from .._files import WholeFile

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "Duration",
    "FieldMask",
    "Float",
    "Floats",
    "HttpBody",
    "Int32",
    "Int64",
    "Model",
    "OpenEnum",
    "Status",
    "Struct",
    "Timestamp",
    "UInt32",
    "UInt64",
    "Value",
]


class Model(BaseModel):
    """A message. `model_fields_set` has the fields that were given or received."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,  # a program uses few of the models
        populate_by_name=True,
        protected_namespaces=(),
        ser_json_bytes="base64",
        ser_json_inf_nan="strings",
        val_json_bytes="base64",
    )

    __proto__: ClassVar[str]
    """The module of the generated protobuf class, a colon, and the message's full name."""
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {}

    def which(self, oneof: str) -> str | None:
        """Returns the name of the field of a oneof that is set, or None. Raises KeyError for an unknown oneof."""
        return next((name for name in self.__oneofs__[oneof] if getattr(self, name) is not None), None)


class OpenEnum(StrEnum):
    """An enum whose members are strings, the names in the proto: `JobStatus.RUNNING == "JOB_STATUS_RUNNING"`.

    A member's short name is taken too: `"running"`. A number or a name that this version does not know becomes a member
    of its own, whose name begins with `UNKNOWN_`.
    """

    @classmethod
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        raise NotImplementedError

    @classmethod
    def of(cls, number: int) -> Self:
        """Returns the member with a number."""
        found = next((name for name, value in cls.numbers().items() if value == number), None)
        return cls(found if found is not None else str(number))

    @property
    def number(self) -> int:
        """The number on the wire. Raises ValueError for a name without one."""
        known = self.numbers().get(self.value)
        if known is None and not self.value.lstrip("-").isdecimal():
            names = ", ".join(name.lower() for name, member in type(self).__members__.items() if member.number)
            raise ValueError(f"{self.value!r} is no {type(self).__name__}: expected one of {names}")
        return known if known is not None else int(self.value)

    @property
    def known(self) -> bool:
        """Whether this version of the client knows the value."""
        return self.value in self.numbers()

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls[value.upper()]
        if isinstance(value, int):
            found = next((name for name, number in cls.numbers().items() if number == value), None)
            if found is not None:
                return cls(found)
        member = str.__new__(cls, value)
        member._name_, member._value_ = f"UNKNOWN_{value}", str(value)
        return member

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        schema["serialization"] = core_schema.plain_serializer_function_ser_schema(_written, when_used="json")
        return cast("CoreSchema", schema)


def _written(value: OpenEnum) -> str | int:
    # proto3 JSON accepts the number of an enum that has no name.
    return int(value.value) if value.value.lstrip("-").isdecimal() else value.value


def _seconds(value: object) -> object:
    if isinstance(value, str) and value.endswith("s") and not value.startswith(("P", "-P")):
        try:
            return timedelta(seconds=float(value[:-1]))
        except (ValueError, OverflowError):
            raise ValueError(f"{value!r} is no number of seconds, such as '1.5s'") from None
    return value


def _paths(value: object) -> object:
    if isinstance(value, str):
        return [_snake(path) for path in value.split(",") if path]
    return value


def _snake(path: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)


def _utc(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _single(value: float) -> float:
    return array("f", (value,))[0]


Int32: TypeAlias = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
UInt32: TypeAlias = Annotated[int, Field(ge=0, le=2**32 - 1)]
Int64: TypeAlias = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
UInt64: TypeAlias = Annotated[int, Field(ge=0, le=2**64 - 1)]
Float: TypeAlias = Annotated[float, AfterValidator(_single)]
"""A number in single precision. JSON has the shortest digits, 0.1, of what gRPC gives exactly, 0.10000000149011612."""
Floats: TypeAlias = Annotated[list[float], AfterValidator(lambda values: array("f", values).tolist())]
"""Numbers in single precision, rounded all at once: a vector has thousands."""
Timestamp: TypeAlias = Annotated[datetime, PlainSerializer(_utc, when_used="json")]
"""google.protobuf.Timestamp; without a time zone it means UTC. Microseconds are the finest unit."""
Duration: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(_seconds),
    PlainSerializer(lambda value: f"{value.total_seconds():.6f}s", when_used="json"),
]
"""google.protobuf.Duration."""
FieldMask: TypeAlias = Annotated[
    list[str],
    BeforeValidator(_paths),
    PlainSerializer(
        lambda value: ",".join(".".join(to_camel(part) for part in path.split(".")) for path in value), when_used="json"
    ),
]
"""google.protobuf.FieldMask: paths in proto names."""
Struct: TypeAlias = dict[str, JsonValue]
"""google.protobuf.Struct: a JSON object."""
Value: TypeAlias = JsonValue
"""google.protobuf.Value: any JSON value."""


class Status(Model):
    """google.rpc.Status: an error as a value."""

    __proto__ = "google.rpc.status_pb2:google.rpc.Status"

    code: int = 0
    """The number of the gRPC code."""
    message: str = ""
    details: list[dict[str, JsonValue]] = []
    """Further messages in their JSON form; `@type` names each one's type."""


class HttpBody(Model):
    """google.api.HttpBody: bytes with their media type."""

    __proto__ = "google.api.httpbody_pb2:google.api.HttpBody"

    content_type: str = ""
    data: bytes = b""

    @property
    def text(self) -> str:
        """The bytes as text, in the character set of the media type, else in UTF-8."""
        message = email.message.Message()
        message["content-type"] = self.content_type
        return self.data.decode(message.get_content_charset("utf-8"), "replace")

    def save(self, path: str | os.PathLike[str]) -> int:
        """Writes the bytes to a file, which appears only when it is whole; returns their number."""
        file = WholeFile(path)
        try:
            file.write(self.data)
        except BaseException:
            file.discard()
            raise
        return file.keep()
