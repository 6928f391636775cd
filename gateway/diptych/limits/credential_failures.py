"""The limit of wrong credentials by address, beyond which an address's credentials are refused unchecked.

It knows no credentials; `auth` reports the wrong ones.
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


class CredentialFailures:
    """Wrong credentials by address; `prefix` is the length of an IPv6 address, `most` the number of addresses kept."""

    def __init__(self, rate: Rate, prefix: int, most: int) -> None:
        self._rate, self._prefix = rate, prefix
        self._window = Sliding(*rate, most)

    def beyond(self, known: Origin) -> Status | None:
        """Returns the status that refuses every call with credentials from an address beyond the rate, else None."""
        count = self._window.look(address_of(known.peer, self._prefix))
        if count.allowed:
            return None
        status = beyond_rate(_NAME, *self._rate, count.seconds)
        return replace(status, headers=(*status.headers, (RETRY_AFTER, retry_after(status))))

    def wrong(self, known: Origin) -> None:
        """Counts a call with wrong credentials."""
        self._window.hit(address_of(known.peer, self._prefix))
