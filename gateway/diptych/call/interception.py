"""The base of the gateway's own interceptors, which decide about most calls without waiting, and the chain of all.

In-process calls ask them directly: an interceptor's own way costs a coroutine, a details object and a list of metadata.
It knows no credentials and no limits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import grpc

from ..metadata import Metadata
from ..methods import Handler
from ..origin import Origin
from .context import Metadatum
from .guard import Guard

Chain: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


class _Undecided(Enum):
    UNDECIDED = 0


UNDECIDED: Final = _Undecided.UNDECIDED
Undecided: TypeAlias = "Literal[_Undecided.UNDECIDED]"
Decide: TypeAlias = "Callable[[str, Metadata, Origin], Handler | Undecided | None]"


class ImmediateInterceptor(grpc.aio.ServerInterceptor):
    """An interceptor that refuses calls or passes them on unchanged, and usually knows at once."""

    @abstractmethod
    def decide(self, path: str, metadata: Metadata, known: Origin) -> Handler | Undecided | None:
        """Returns a handler that refuses the call, or None to pass it on.

        If that takes waiting, returns UNDECIDED and changes nothing; then `intercept_service` is called.
        """


class Details(grpc.HandlerCallDetails):
    """What interceptors see of a call; few read the metadata, so that grpcio's form of them is made on demand."""

    # For interceptors that pass on details of their own, made by the type of those that they got.
    def __init__(self, method: str, invocation_metadata: Any) -> None:
        self.method, self._metadata = method, invocation_metadata

    @property
    def invocation_metadata(self) -> Any:
        """The metadata, as pairs with named members."""
        pairs = self._metadata
        if pairs and type(pairs[0]) is not Metadatum:
            pairs = self._metadata = tuple([Metadatum(*pair) for pair in pairs])
        return pairs

    @invocation_metadata.setter
    def invocation_metadata(self, pairs: Any) -> None:
        self._metadata = pairs


_new: Callable[[type[Details]], Details] = object.__new__


def new_details(method: str, metadata: Metadata) -> Details:
    """Returns the details of a call, without `__init__`: CPython calls a class with grpcio's metaclass slowly."""
    details = _new(Details)
    details.method, details._metadata = method, metadata
    return details


class InterceptorChain:
    """The interceptors behind the guard. `last` finds the handler of a call that all of them pass on."""

    def __init__(
        self,
        guard: Guard,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        last: Chain,
        guarded: Mapping[str, Handler],
    ) -> None:
        self._guard = guard
        chains = [partial(guard.intercept_service, chain) for chain in _chains(interceptors, last)]
        self._asked = list(zip(_deciders(interceptors), chains, strict=False))
        self._behind = chains[len(self._asked)]
        # Without users' interceptors, a call that the own ones pass on always gets its method's handler.
        self._found = guarded if len(self._asked) == len(interceptors) else {}

    def begin(self, path: str, metadata: Metadata, known: Origin) -> tuple[Handler | None, Chain]:
        """Returns the call's handler; None if it is not known yet, and then the rest of the chain to await."""
        try:
            for decide, chain in self._asked:
                verdict = decide(path, metadata, known)
                if verdict is None:
                    continue
                return (None, chain) if verdict is UNDECIDED else (self._guard.guarded(verdict, path), chain)
        except Exception as wrong:
            return self._guard.failed(wrong, path), self._behind
        return self._found.get(path), self._behind


def _deciders(interceptors: Sequence[grpc.aio.ServerInterceptor]) -> Iterator[Decide]:
    """Yields the `decide` of those that come before any of the users'."""
    for one in interceptors:
        if not isinstance(one, ImmediateInterceptor) or not defined_together(one, "intercept_service", "decide"):
            return
        yield one.decide


def defined_together(one: object, waiting: str, immediate: str) -> bool:
    """Returns whether the class that defines one method defines the other too, which does the same without waiting.

    A subclass that overrides only the former must not be overruled by the latter, which it inherits.
    """
    owner = next((kind for kind in type(one).__mro__ if waiting in vars(kind)), object)
    return immediate in vars(owner)


def _chains(interceptors: Sequence[grpc.aio.ServerInterceptor], last: Chain) -> list[Chain]:
    """Returns the chains that begin at each interceptor, and `last`."""
    chains = [last]
    for interceptor in reversed(interceptors):
        chains.append(partial(interceptor.intercept_service, chains[-1]))
    return chains[::-1]
