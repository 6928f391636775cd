"""Objects that finish making themselves when they are first used.

It knows no room: a class says in `make` which attributes are expensive.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

__all__ = ["Makes", "deferred"]


class Makes(Protocol):
    """An object with attributes that `make` sets, once."""

    def make(self) -> None:
        """Sets them."""


T = TypeVar("T", bound=Makes)


def deferred(made: type[T]) -> type[T]:
    """Returns a subclass of a class with slots; its instances call `make` when a missing attribute is first read.

    From then on they are instances of `made` itself, so that reading an attribute costs no more than with `made`.
    """

    def first(self: Any, name: str) -> Any:
        self.__class__ = made
        self.make()
        return getattr(self, name)

    members = {"__slots__": (), "__getattr__": first, "__doc__": f"A {made.__name__} that is not made yet."}
    return type(f"Deferred{made.__name__}", (made,), members)
