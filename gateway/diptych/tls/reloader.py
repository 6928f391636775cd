"""Reloads the certificates of a gateway: listeners get valid new ones, and invalid ones change nothing.

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
    """Reads the files of the settings. Raises OSError, naming them, if they are unusable at start-up."""

    def __init__(self, settings: Settings) -> None:
        if settings.tls_client_ca is not None:
            need("tls_client_ca", "cryptography", "mtls", "cryptography")
        self._settings = settings
        self.material = read(settings)
        """The material of new connections."""
        self._seen: Signature | None = self.material.signature
        self._reported = ""
        self._subscribers: list[Take] = []
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, take: Take) -> None:
        """Calls `take` with every new material."""
        self._subscribers.append(take)

    def start(self) -> None:
        """Checks the files from now on, every `tls_reload_seconds`."""
        if self._settings.tls_reload_seconds:
            self._task = asyncio.ensure_future(self._poll(self._settings.tls_reload_seconds))

    async def stop(self) -> None:
        """Stops checking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _poll(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> bool:
        """Loads the files if they have changed; returns whether new, valid ones were loaded."""
        async with self._looking:
            try:
                if signature(self._settings) == self._seen:
                    return False
                material = read(self._settings)
            except OSError as wrong:
                self._report(str(wrong))
                return False
            self._seen, self._reported, self.material = material.signature, "", material
            logger.info("reloaded the certificate for new connections from %s", self._settings.tls_certificate)
            for take in self._subscribers:
                await take(material)
            return True

    def _report(self, what: str) -> None:
        """Logs an error once: later checks may find the same, and the files may be half written now."""
        if what != self._reported:
            self._reported = what
            logger.error("the certificate is not reloaded: %s", what)
