"""The certificates of a gateway over time: who shows them is told of new ones, and bad new ones change nothing.

It knows no listener and no signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ..extras import need
from ..settings import Settings
from .material import Material, Signature, read, signature

logger = logging.getLogger("diptych.tls")

Take = Callable[[Material], Awaitable[None]]


class CertificateReloader:
    """Reads the files the settings name. Raises OSError, naming them, where they are no good to begin with."""

    def __init__(self, settings: Settings) -> None:
        if settings.tls_client_ca is not None:
            need("tls_client_ca", "cryptography", "mtls", "cryptography")
        self._settings = settings
        self.material = read(settings)
        """What new connections get."""
        self._seen: Signature | None = self.material.signature
        self._told = ""
        self._takers: list[Take] = []
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def tell(self, take: Take) -> None:
        """Call it with every new material."""
        self._takers.append(take)

    def start(self) -> None:
        """Look at the files from now on, as often as the settings say."""
        if self._settings.tls_reload_seconds:
            self._task = asyncio.ensure_future(self._watch(self._settings.tls_reload_seconds))

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _watch(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> bool:
        """Take new files where there are any; whether there were, and they are good."""
        async with self._looking:
            try:
                if signature(self._settings) == self._seen:
                    return False
                material = read(self._settings)
            except OSError as wrong:
                self._complain(str(wrong))
                return False
            self._seen, self._told, self.material = material.signature, "", material
            logger.info("new connections get the certificate that %s holds now", self._settings.tls_certificate)
            for take in self._takers:
                await take(material)
            return True

    def _complain(self, what: str) -> None:
        """Once: the files are looked at again, and may be half written now."""
        if what != self._told:
            self._told = what
            logger.error("the certificate stays the one it was: %s", what)
