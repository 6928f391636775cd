"""Limits: rates and concurrency by caller, address and method, and caps that shed load.

The entry point is `Limiting`, built once from settings. It knows no protocol: it sees a call as its origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..extras import need
from ..methods import Handler
from ..settings import Settings
from ..settings.limits import LimitsSettings
from ..status import Status
from .caps import Caps, Lease
from .credential_failures import CredentialFailures
from .interceptor import Limit, Shed
from .rules import LimitError, Rule, RuleTable
from .statuses import busy
from .windows import Count

if TYPE_CHECKING:
    from .storage import SharedStorage

__all__ = ["LimitError", "Limiting"]

_AWAY = "calls cannot be counted at the moment; try again later"


class Limiting:
    """All limits of a gateway. Raises `LimitError` if the settings contradict one another.

    `bytes_in_flight` is the maximum of request bytes held at once.
    """

    def __init__(self, settings: Settings, bytes_in_flight: int) -> None:
        limits = self._settings = settings.limits
        self.caps = Caps(limits.max_in_flight, bytes_in_flight, limits.retry_seconds)
        """Counters of the calls and bytes in flight, and their caps."""
        most = limits.max_bytes_in_flight
        if most is not None and most < settings.largest_body:
            raise LimitError(
                f"limits.max_bytes_in_flight is {most}, but one body may have {settings.largest_body} bytes: raise it,"
                " or lower max_body_bytes"
            )
        wrong = limits.wrong
        self.credential_failures = (
            None if wrong is None else CredentialFailures(wrong, limits.ipv6_prefix, limits.max_keys)
        )
        """Counts wrong credentials; None if their number is not limited."""
        self.table: RuleTable | None = None
        """The rules, once they are resolved."""
        self._shared: SharedStorage | None = None

    @property
    def _sheds(self) -> bool:
        return self._settings.max_in_flight is not None or self._settings.max_bytes_in_flight is not None

    def shed(self, handlers: Mapping[str, Handler]) -> tuple[Shed, ...]:
        """Returns the interceptor that runs before all others; none if no cap is set."""
        return (Shed(self.caps, _streamed(handlers)),) if self._sheds else ()

    @property
    def new_lease(self) -> Callable[[], Lease] | None:
        """Makes the lease of a call if no cap is set and only the default byte limit applies. An interceptor for that
        alone would cost every call more than the count.
        """
        return None if self._sheds else self.caps.lease

    def limit(self, handlers: Mapping[str, Handler], *, open_ended: bool) -> tuple[Limit, ...]:
        """Returns the interceptor that runs after authentication; none without rules.

        `handlers` are all handlers by path; `open_ended` means that generic handlers may serve more. Raises
        `LimitError` if a pattern matches no method, `MissingExtra` if the storage's client is not installed.
        """
        settings = self._settings
        if not settings.rules:
            return ()
        self.table = RuleTable(settings, handlers, open_ended=open_ended)
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
            raise RuntimeError("a rule without a rate has nothing to count")
        found = await self._shared.hit(rule.rate, rule.name, key)
        if found is not None:
            return found
        if self._settings.storage_fail == "closed":
            return busy(_AWAY, self._settings.retry_seconds)
        return rule.window.hit(key)

    async def close(self) -> None:
        """Closes the storage's connections."""
        if self._shared is not None:
            await self._shared.close()


def _streamed(handlers: Mapping[str, Handler]) -> list[str]:
    return [path for path, handler in handlers.items() if handler.request_streaming]


def _shared(url: str, settings: LimitsSettings) -> SharedStorage:
    need("limits.storage_url", "limits and redis", "limits", "limits.aio", "redis.asyncio")
    from .storage import SharedStorage

    return SharedStorage(url, settings)
