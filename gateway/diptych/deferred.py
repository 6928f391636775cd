"""Objects that finish making themselves when they are first used.

It knows no room: a class says in `make` which attributes are expensive.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol, TypeVar

__all__ = ["Makes", "deferred"]


class Makes(Protocol):
    """An object with attributes that `make` sets, once."""

    def make(self) -> None:
        """Sets them."""


T = TypeVar("T", bound=Makes)

# Large bodies are bound in threads, so that two of them may need the same object first.
_making = threading.RLock()


def deferred(made: type[T]) -> type[T]:
    """Returns a subclass of a class with slots; its instances call `make` when a missing attribute is first read.

    From then on they are instances of `made` itself, so that reading an attribute costs no more than with `made`. What
    `make` raises is raised by every reading until it succeeds. Threads wait for each other.
    """

    def first(self: Any, name: str) -> Any:
        with _making:
            if type(self) is not made:
                self.make()
                self.__class__ = made
        return getattr(self, name)

    members = {"__slots__": (), "__getattr__": first, "__doc__": f"A {made.__name__} that is not made yet."}
    return type(f"Deferred{made.__name__}", (made,), members)
