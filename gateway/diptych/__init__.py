"""One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth import Authenticator, Credentials, Principal, Refused, principal
    from .gateway import Gateway
    from .readiness import ServiceCheck
    from .settings import Settings

__all__ = ["Authenticator", "Credentials", "Gateway", "Principal", "Refused", "ServiceCheck", "Settings", "principal"]

_ROOM = {"Gateway": "gateway", "ServiceCheck": "readiness", "Settings": "settings"}

if not TYPE_CHECKING:  # or a type checker would believe in every name

    def __getattr__(name: str) -> Any:
        """Import on first use: the supervisor of the workers lives in this package and needs none of it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(f".{_ROOM.get(name, 'auth')}", __name__), name)
        return found
