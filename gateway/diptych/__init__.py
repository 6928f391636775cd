"""One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers."""

from .gateway import Gateway
from .settings import Settings

__all__ = ["Gateway", "Settings"]
