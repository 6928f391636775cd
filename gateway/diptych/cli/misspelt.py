"""Finds servicer methods whose name misspells an RPC: grpcio then answers UNIMPLEMENTED, since nothing overrides it.

It knows no route.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any

from ..methods import Handler, Method
from .finding import Finding

_GENERATED = "_pb2_grpc"
_ALIKE = 0.8
_ALIKE_SHORT = 0.75  # of names of four letters, one of which is wrong


def misspelt(methods: Iterable[Method]) -> Iterator[Finding]:
    """Yields an error for each RPC that is not implemented while its servicer has a method with a similar name."""
    registered = [*methods]
    rpcs: dict[type, set[str]] = {}
    for method in registered:
        servicer = getattr(_behavior(method.handler), "__self__", None)
        rpcs.setdefault(type(servicer), set()).add(method.descriptor.name)
    for method in registered:
        behavior = _behavior(method.handler)
        servicer = type(getattr(behavior, "__self__", None))
        if not str(getattr(behavior, "__module__", "")).endswith(_GENERATED):
            continue
        meant = method.descriptor.name
        close = [name for name in _own(servicer) - rpcs[servicer] if _alike(name, meant)]
        if close:
            name = max(close, key=lambda one: _similarity(one, meant))
            text = f"is not implemented; {servicer.__qualname__} has a method {name!r}: did you mean {meant!r}?"
            yield Finding("error", method.path, text)


def _behavior(handler: Handler) -> Any:
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def _own(servicer: type) -> set[str]:
    """Returns the names of the public methods that people wrote."""
    return {
        name
        for kind in servicer.__mro__
        if kind is not object and not kind.__module__.endswith(_GENERATED)
        for name, value in vars(kind).items()
        if not name.startswith("_") and inspect.isroutine(value)
    }


def _alike(name: str, meant: str) -> bool:
    return _similarity(name, meant) >= (_ALIKE_SHORT if len(name) == len(meant) == 4 else _ALIKE)


def _similarity(name: str, meant: str) -> float:
    one, other = (text.replace("_", "").lower() for text in (name, meant))
    return SequenceMatcher(None, one, other).ratio()
