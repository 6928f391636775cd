"""Receives notifications by PostgreSQL's LISTEN; the store sends them by NOTIFY in its transactions.

Owns one connection and its reconnects. Knows no tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from diptych.outages import OutageLog

from .broker import OnGap, OnNotification, parse

_log = logging.getLogger(__name__)

CHANNEL = "artificer_chat"
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # seconds between attempts to connect
_OPTIONS: dict[str, str | int] = {
    "application_name": "artificer-chat-listen",
    "connect_timeout": 10,
    "keepalives_idle": 10,  # with the next two, a dead peer is detected within 25 seconds
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class PostgresBroker:
    """Listens on a dedicated connection to the postgresql:// URL `url`."""

    def __init__(self, url: str) -> None:
        self._url = make_conninfo(url, **_OPTIONS)
        self._task: asyncio.Task[None] | None = None
        self._listening = False
        self._outages = OutageLog(_log, "PostgreSQL's notifications of new messages")

    @property
    def healthy(self) -> bool:
        """Whether the connection is established."""
        return self._listening

    async def start(self, notified: OnNotification, gap: OnGap) -> None:
        """Start listening; see `Broker`."""
        self._task = asyncio.create_task(self._run(notified, gap), name="chat-listen-notify")

    def publish(self, channel: str, sequence: int) -> None:
        """Do nothing: the store's commit has already sent the notification."""

    async def stop(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, notified: OnNotification, gap: OnGap) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    self._listening, wait = True, _FIRST_WAIT
                    self._outages.recovered()
                    gap()  # notifications sent before this LISTEN are lost
                    async for notice in connection.notifies():
                        received = parse(notice.payload)
                        if received is not None:
                            notified(*received)
            except psycopg.Error as error:
                self._outages.failed(error)
            finally:
                self._listening = False
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311, spreads reconnects
            wait = min(wait * 2, _LONGEST_WAIT)
