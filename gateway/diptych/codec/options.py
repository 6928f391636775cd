"""How messages are written as JSON; a value, so that printers can be made once for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """The three choices the proto3 JSON mapping leaves open."""

    emit_defaults: bool = True
    preserve_names: bool = False
    enums_as_ints: bool = False
