"""How often an address may show wrong credentials before nobody looks at any of its own.

It knows no credentials; whoever checks them tells it.
"""

from __future__ import annotations

from dataclasses import replace

from ..origin import Origin
from ..settings.limits import Rate
from ..status import Status
from .keys import address_of
from .statuses import RETRY_AFTER, beyond_rate, retry_after
from .windows import Sliding

_NAME = "wrong-credentials"


class Guesses:
    """Counted by address; addresses of IPv6 are `prefix` bits, and `most` of them are remembered."""

    def __init__(self, rate: Rate, prefix: int, most: int) -> None:
        self._rate, self._prefix = rate, prefix
        self._window = Sliding(*rate, most)

    def beyond(self, known: Origin) -> Status | None:
        """What calls with credentials from there are told, right ones too, where there were too many wrong ones."""
        count = self._window.look(address_of(known.peer, self._prefix))
        if count.allowed:
            return None
        status = beyond_rate(_NAME, *self._rate, count.seconds)
        return replace(status, headers=(*status.headers, (RETRY_AFTER, retry_after(status))))

    def wrong(self, known: Origin) -> None:
        """Credentials from there were wrong."""
        self._window.hit(address_of(known.peer, self._prefix))
