"""The metadata that a channel adds to its calls: defaults, the key or token, and the trace context of OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from .._target import check_secret
from .options import ChannelOptions

Pairs = tuple[tuple[str, str | bytes], ...]
_SECRETS = frozenset(("authorization", "x-api-key"))


class CallMetadata:
    """Completes the metadata of calls."""

    def __init__(self, options: ChannelOptions) -> None:
        own = options.credentials
        self._fixed: Pairs = tuple((key.lower(), value) for key, value in options.metadata)
        self._current: Callable[[], str] | None = None
        if callable(own.token):
            self._current = own.token
        elif own.token:
            self._fixed += (("authorization", f"Bearer {own.token}"),)
        elif own.api_key:
            self._fixed += (("x-api-key", own.api_key),)

    def complete(self, given: Iterable[tuple[str, str | bytes]] | None) -> Pairs | None:
        """Returns the metadata of a call that was given this metadata, whose keys win over the channel's.

        Raises ValueError if the function for the token returns one that cannot be sent.
        """
        added = self._fixed
        if self._current is not None:
            token = self._current()
            check_secret("token", token)
            added += (("authorization", f"Bearer {token}"),)
        # Applications that trace have imported this; the others must not pay for it.
        if "opentelemetry.trace" in sys.modules:
            added += _trace_context()
        if not given:
            return added or None
        pairs = tuple((key, value) for key, value in given)
        keys = {key.lower() for key, _ in pairs}
        if keys & _SECRETS:
            keys |= _SECRETS
        return pairs + tuple(pair for pair in added if pair[0] not in keys)


def _trace_context() -> Pairs:
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple((key.lower(), value) for key, value in carrier.items())
