"""One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers."""

from .auth import Authenticator, Credentials, Principal, Refused, principal
from .gateway import Gateway
from .settings import Settings

__all__ = ["Authenticator", "Credentials", "Gateway", "Principal", "Refused", "Settings", "principal"]
