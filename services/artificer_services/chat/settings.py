"""The settings of the chat service: one frozen value, validated once.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..kit.settings import KIB, MIB, InvalidSetting, check_choice, check_database, check_not_negative, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """Storage, notification and limits of the chat service. Raises ValueError for invalid values."""

    data_dir: str = "artificer-data"  # relative to the working directory, created if missing; holds chat.sqlite3
    database_url: str = ""  # postgresql://user:password@host/name; empty means SQLite in data_dir
    database_connections: int = 8  # to PostgreSQL per process, plus one that listens
    # auto: postgres if database_url is set, else memory, which serves a single process only.
    broker: Literal["auto", "memory", "postgres", "redis"] = "auto"
    redis_url: str = ""  # such as redis://host:6379/0; required with broker = redis
    redis_channel: str = "artificer.chat"  # the pub/sub channel; one for all processes that share a database
    sweep_seconds: float = 5.0  # between checks for messages whose notification was lost
    breaker_failures: int = 5  # consecutive failures of PostgreSQL after which calls are refused at once
    breaker_seconds: float = 2.0  # until a call is let through again; doubles up to 30 seconds
    max_store_calls: int = 256  # concurrent calls to PostgreSQL; more are refused with UNAVAILABLE
    queue_messages: int = 1024  # that a live reader may fall behind before it is ended
    queue_bytes: int = 16 * MIB  # the same limit in bytes, for a whole channel
    history_batch: int = 200  # messages in one read of history

    keep_days: float = 0.0  # messages that are older are removed with their files; 0: keep forever

    max_content_bytes: int = 16 * KIB  # of one message's text
    max_files: int = 8  # of one message
    max_file_bytes: int = 512 * KIB  # of one file
    max_files_bytes: int = 2 * MIB  # of all files of one message; gRPC clients accept 4 MiB by default
    max_name_bytes: int = 128  # of a channel, a user's id or name, or a request id
    max_file_name_bytes: int = 255  # the limit of most file systems
    max_send: int = 10_000  # messages of one SendMessages call; its response lists their ids
    max_page_bytes: int = 3 * MIB  # of one page of ListMessages; stays below gRPC's 4 MiB

    page: bool = True  # serve the page at /chat

    def __post_init__(self) -> None:
        check_positive(
            self,
            "database_connections",
            "sweep_seconds",
            "breaker_failures",
            "breaker_seconds",
            "max_store_calls",
            "queue_messages",
            "queue_bytes",
            "history_batch",
            "max_content_bytes",
            "max_name_bytes",
            "max_file_name_bytes",
            "max_send",
            "max_page_bytes",
        )
        check_not_negative(self, "max_files", "max_file_bytes", "max_files_bytes", "keep_days")
        check_choice(self, "broker", "auto", "memory", "postgres", "redis")
        check_database(self.database_url, self.data_dir)
        if self.broker == "postgres" and not self.database_url:
            raise InvalidSetting("database_url", "broker = postgres requires database_url")
        if self.broker == "redis" and not self.redis_url:
            raise InvalidSetting("redis_url", "broker = redis requires redis_url")

    @property
    def broker_kind(self) -> Literal["memory", "postgres", "redis"]:
        """The broker, with `auto` resolved."""
        if self.broker != "auto":
            return self.broker
        return "postgres" if self.database_url else "memory"
