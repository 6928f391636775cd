"""What a content type means under the gateway's settings: the kind of its messages, its wire and its name.

It knows no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from ...metadata import HeaderPolicy
from ...origin import ProtocolName
from ...settings import Settings
from .connect_errors import ConnectErrors
from .connect_stream import ConnectWire
from .kinds import KINDS, NAMES, OWN_HEADERS, Kind, WireProtocol, kind_of
from .wires import GrpcWire, WebTextWire, WebWire, Wire

__all__ = ["Form", "Forms"]

Make: TypeAlias = "Callable[[Kind, Mapping[bytes, bytes]], Wire]"


class Form(NamedTuple):
    """One content type. `make` is None for Connect's unary calls, which have no envelopes."""

    kind: Kind
    protocol: ProtocolName
    policy: HeaderPolicy
    make: Make | None

    def wire(self, headers: Mapping[bytes, bytes]) -> Wire:
        """Returns the wire of a request with these headers."""
        if self.make is None:
            raise TypeError(f"{self.kind.media.decode()} has no envelopes")
        return self.make(self.kind, headers)


class Forms:
    """The forms of all content types."""

    def __init__(self, settings: Settings, errors: ConnectErrors) -> None:
        wires: Mapping[WireProtocol, Make] = {
            WireProtocol.GRPC: GrpcWire,
            WireProtocol.WEB: WebWire,
            WireProtocol.WEB_TEXT: WebTextWire,
            WireProtocol.CONNECT_STREAM: partial(ConnectWire, errors=errors, compress_from=settings.compress_from),
        }
        policies = {
            protocol: HeaderPolicy.of(settings.metadata_allow, (*settings.metadata_deny, *dropped))
            for protocol, dropped in OWN_HEADERS.items()
        }
        self._forms = {
            media: Form(kind, NAMES[kind.protocol], policies[kind.protocol], wires.get(kind.protocol))
            for media, kind in KINDS.items()
        }
        self.connect_policy = policies[WireProtocol.CONNECT]
        """Which headers of Connect's unary calls become metadata."""

    def of(self, content_type: bytes | None) -> Form | None:
        """Returns the form of a content type; None for an unknown or missing one."""
        if content_type is None:
            return None
        found = self._forms.get(content_type)
        if found is None and (kind := kind_of(content_type)) is not None:
            found = self._forms[kind.media]
        return found
