"""Options for writing JSON, as values, so that printers can be made once per combination; the encoder of a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """The three options that the proto3 JSON mapping allows."""

    emit_defaults: bool = True
    preserve_names: bool = False
    enums_as_ints: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """The system parameters of a request: `$prettyPrint`, and `$alt=json;enum-encoding=int`."""

    pretty: bool = False
    enums_as_ints: bool = False


DEFAULT = Parameters()


class Printed(NamedTuple):
    """Messages of a stream as JSON. If one cannot be printed, those before it and why not; those after it are left."""

    texts: list[bytes]
    failure: Exception | None


class StreamEncoder(NamedTuple):
    """Prints the messages of a stream in two steps, so that many are printed by one call."""

    pack: Callable[[Message], bytes]
    """Serializes a message as the servicer sends it."""
    print_all: Callable[[list[bytes]], Printed]
    """Prints packed messages as compact UTF-8 JSON."""


def printed_at_once(encode: Callable[[Message], bytes]) -> StreamEncoder:
    """Returns a stream encoder that prints each message by `encode` as the servicer sends it."""
    return StreamEncoder(encode, _itself)


def _itself(packed: list[bytes]) -> Printed:
    return Printed(packed, None)
