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

if not TYPE_CHECKING:  # a type checker would accept every name of a module with `__getattr__`

    def __getattr__(name: str) -> Any:
        """Imports a name on first use: the workers' supervisor is in this package and needs none of them."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(f".{_ROOM.get(name, 'auth')}", __name__), name)
        return found
