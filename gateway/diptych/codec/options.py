"""Options for writing JSON; values, so that printers can be made once per combination."""

from __future__ import annotations

from dataclasses import dataclass


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
