"""How often and how much at once may be called: rules by caller, address and method, and caps that shed load.

The door is `Limiting`, made once from settings. It knows no face: a call is its origin, whichever protocol it came by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..extras import need
from ..methods import Handler
from ..settings import Settings
from ..settings.limits import LimitsSettings
from ..status import Status
from .caps import Caps, Lease
from .credential_failures import Guesses
from .interceptor import Limit, Shed
from .rules import LimitError, Rule, Table
from .statuses import busy
from .windows import Count

if TYPE_CHECKING:
    from .storage import Shared

__all__ = ["LimitError", "Limiting"]

_AWAY = "calls cannot be counted just now"


class Limiting:
    """All limits of a gateway. Raises `LimitError` where the settings contradict one another.

    `bytes_in_flight` is how many bytes of requests are held at most.
    """

    def __init__(self, settings: Settings, bytes_in_flight: int) -> None:
        limits = self._settings = settings.limits
        self.caps = Caps(limits.max_in_flight, bytes_in_flight, limits.retry_seconds)
        """What is in flight, where it is capped."""
        most = limits.max_bytes_in_flight
        if most is not None and most < settings.largest_body:
            raise LimitError(
                f"limits: max_bytes_in_flight is {most}, and one body may have {settings.largest_body} bytes"
            )
        wrong = limits.wrong
        self.guesses = None if wrong is None else Guesses(wrong, limits.ipv6_prefix, limits.max_keys)
        """Wrong credentials, where their number is limited."""
        self.table: Table | None = None
        """The rules, once they are resolved."""
        self._shared: Shared | None = None

    @property
    def _sheds(self) -> bool:
        return self._settings.max_in_flight is not None or self._settings.max_bytes_in_flight is not None

    def shed(self, handlers: Mapping[str, Handler]) -> tuple[Shed, ...]:
        """What goes in front of all other interceptors; nothing where no cap is set."""
        return (Shed(self.caps, _streamed(handlers)),) if self._sheds else ()

    @property
    def lend(self) -> Callable[[], Lease] | None:
        """Makes the lease of a call where no cap is set and the default of bytes counts: an interceptor for that alone
        would cost every call more than the count.
        """
        return None if self._sheds else partial(Lease, self.caps, counted=True)

    def limit(self, handlers: Mapping[str, Handler], *, open_ended: bool) -> tuple[Limit, ...]:
        """What goes behind whoever knows the caller; nothing where there are no rules.

        `handlers` are all that are served; `open_ended` says that there are others, found only when they are called.
        Raises `LimitError` where a pattern names no method, or the storage's client is not installed.
        """
        settings = self._settings
        if not settings.rules:
            return ()
        self.table = Table(settings, handlers, open_ended=open_ended)
        if settings.storage_url is not None and any(rule.rate for rule in self.table.rules):
            self._shared = _shared(settings.storage_url.get_secret_value(), self._settings)
        return (
            Limit(
                self.table,
                self.caps,
                _streamed(handlers),
                ask=None if self._shared is None else self._ask,
                headers=settings.headers,
                retry_seconds=settings.retry_seconds,
            ),
        )

    async def _ask(self, rule: Rule, key: str) -> Count | Status:
        if self._shared is None or rule.window is None or rule.rate is None:
            raise RuntimeError("a rule without a rate is not counted")
        found = await self._shared.hit(rule.rate, rule.name, key)
        if found is not None:
            return found
        if self._settings.storage_fail == "closed":
            return busy(_AWAY, self._settings.retry_seconds)
        return rule.window.hit(key)

    async def close(self) -> None:
        """Let go of the storage."""
        if self._shared is not None:
            await self._shared.close()


def _streamed(handlers: Mapping[str, Handler]) -> list[str]:
    return [path for path, handler in handlers.items() if handler.request_streaming]


def _shared(url: str, settings: LimitsSettings) -> Shared:
    need("limits.storage_url", "limits and redis", "limits", "limits.aio", "redis.asyncio")
    from .storage import Shared

    return Shared(url, settings)
