"""How messages are written as JSON; a value, so that printers can be made once for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """The three choices the proto3 JSON mapping leaves open."""

    emit_defaults: bool = True
    preserve_names: bool = False
    enums_as_ints: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one request's system parameters ask of its reply: `$prettyPrint`, and `$alt=json;enum-encoding=int`."""

    pretty: bool = False
    enums_as_ints: bool = False


DEFAULT = Parameters()
