"""Notifications between processes by PostgreSQL's LISTEN. The store sends NOTIFY, with its commit.

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

from .broker import Missed, Told, parse

_log = logging.getLogger(__name__)

CHANNEL = "artificer_chat"
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # seconds between attempts to connect
_OPTIONS: dict[str, str | int] = {
    "application_name": "artificer-chat-listen",
    "connect_timeout": 10,
    "keepalives_idle": 10,  # with the next two: a dead peer is found in 25 seconds
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class PostgresBroker:
    """Listens on a connection of its own; `url` is a postgresql:// one."""

    def __init__(self, url: str) -> None:
        self._url = make_conninfo(url, **_OPTIONS)
        self._task: asyncio.Task[None] | None = None
        self._listening = False

    @property
    def healthy(self) -> bool:
        """Whether the connection is established."""
        return self._listening

    async def start(self, told: Told, missed: Missed) -> None:
        """Begin to listen; see `Broker`."""
        self._task = asyncio.create_task(self._run(told, missed), name="chat-listen-notify")

    def publish(self, channel: str, sequence: int) -> None:
        """Do nothing: the store has notified the others with its commit."""

    async def stop(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, told: Told, missed: Missed) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    self._listening, wait = True, _FIRST_WAIT
                    missed()  # notifications sent before this LISTEN
                    async for notice in connection.notifies():
                        heard = parse(notice.payload)
                        if heard is not None:
                            told(*heard)
            except psycopg.Error as error:
                _log.warning("no notifications from PostgreSQL, trying again: %s", error)
            finally:
                self._listening = False
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311, so that processes do not reconnect all at once
            wait = min(wait * 2, _LONGEST_WAIT)
