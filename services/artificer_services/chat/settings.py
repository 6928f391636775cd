"""The settings of the chat service: one frozen value, checked once.

Reads no environment: the process's edge does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..kit.settings import KIB, MIB, check_choice, check_database, check_not_negative, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """Where messages are kept, how they travel, what is allowed. Raises ValueError for values that make no sense."""

    data_dir: str = "artificer-data"  # created if missing, below the working directory; holds chat.sqlite3
    database_url: str = ""  # postgresql://user:password@host/name; empty means SQLite in data_dir
    database_connections: int = 8  # to PostgreSQL, for each process, beside one that listens
    # auto: PostgreSQL's notifications if it is the database, else memory. Memory is for one process.
    broker: Literal["auto", "memory", "postgres", "redis"] = "auto"
    redis_url: str = ""  # redis://host:6379/0, with broker = redis
    redis_channel: str = "artificer.chat"  # the pub/sub channel; processes that share a database share it
    sweep_seconds: float = 5.0  # how often channels are checked for messages whose notification was lost
    breaker_failures: int = 5  # of PostgreSQL in a row after which calls are refused at once
    breaker_seconds: float = 2.0  # until one call then tries it again; doubles up to 30 seconds
    max_store_calls: int = 256  # that wait for PostgreSQL at once; more are refused with UNAVAILABLE
    queue_messages: int = 1024  # by which a live reader may fall behind before it is ended
    queue_bytes: int = 16 * MIB  # the same in bytes, for a whole channel
    history_batch: int = 200  # messages in one read of history

    max_content_bytes: int = 16 * KIB  # of one message's text
    max_files: int = 8  # of one message
    max_file_bytes: int = 512 * KIB  # of one file
    max_files_bytes: int = 2 * MIB  # of one message's files; gRPC clients accept 4 MiB by default
    max_name_bytes: int = 128  # of a user's id and name, of a channel, of a request id
    max_file_name_bytes: int = 255  # the limit of most file systems
    max_send: int = 10_000  # messages of one SendMessages; the answer lists their ids
    max_page_bytes: int = 3 * MIB  # of one page of a list, so that it stays below gRPC's 4 MiB

    page: bool = True  # serves the page at /chat

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
        check_not_negative(self, "max_files", "max_file_bytes", "max_files_bytes")
        check_choice(self, "broker", "auto", "memory", "postgres", "redis")
        check_database(self.database_url, self.data_dir)
        if self.broker == "postgres" and not self.database_url:
            raise ValueError("broker = postgres needs a database_url")
        if self.broker == "redis" and not self.redis_url:
            raise ValueError("broker = redis needs a redis_url")

    @property
    def broker_kind(self) -> Literal["memory", "postgres", "redis"]:
        """The broker; `auto` is resolved."""
        if self.broker != "auto":
            return self.broker
        return "postgres" if self.database_url else "memory"
