"""The settings of the batch service: one frozen value, validated once.

Reads no environment; the composition root does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal

from ..kit.settings import KIB, MIB, InvalidSetting, check_choice, check_database

LEAST_DAYS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long a lease lasts and how often an item is retried; times in seconds."""

    lease_seconds: float = 25.0
    max_attempts: int = 3
    retry_first_seconds: float = 0.5  # doubled with every attempt
    retry_longest_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """Where jobs are stored, what runs their items, and the limits. Raises ValueError for invalid values."""

    data_dir: str = "artificer-data"  # created if missing; holds batch.sqlite3
    database_url: str = ""  # postgresql://user:password@host/name; empty means SQLite in data_dir
    database_connections: int = 8  # to PostgreSQL per gateway; a worker has one or two

    engine: Literal["local", "celery", "none"] = "local"  # who runs items; none: this process only serves the API
    workers: int = 0  # of the local engine; 0: one per processor
    broker_url: str = ""  # redis://host:6379/0, for celery
    celery_queue: str = "artificer.batch"  # prefix of the queues' names; the task type follows
    worker_items: int = 100_000  # after which a local worker is replaced, because libraries leak memory

    lease_seconds: float = 25.0  # a worker that is silent for this long loses its items
    heartbeat_seconds: float = 5.0  # how often a worker renews its lease
    sweep_seconds: float = 2.0  # how often expired leases and unclaimed work are looked for
    stop_grace_seconds: float = 5.0  # that running items get to finish when their worker is told to stop
    poll_seconds: float = 0.4  # how often a busy worker checks whether its job was cancelled
    slice_seconds: float = 5.0  # after this time a worker moves on if other jobs wait
    max_attempts: int = 3  # of a phase of an item
    retry_first_seconds: float = 0.5  # before the second attempt; doubled for every further one
    retry_longest_seconds: float = 30.0  # maximum before any attempt
    item_timeout_seconds: float = 600.0  # an item that takes longer counts as hung
    progress_seconds: float = 0.1  # how often watched jobs are polled
    keep_days: float = 30.0  # jobs that ended longer ago and unreferenced blobs are removed; 0: keep forever
    metrics_seconds: float = 10.0  # how often jobs are counted for /metrics; rarer if counting is slow

    max_items: int = 1_000_000  # of a job
    max_create_items: int = 100_000  # of one CreateJob; more go through UploadItems
    max_phases: int = 32  # of a job
    max_concurrency: int = 256  # workers of a job
    default_concurrency: int = 0  # of a job that sets none; 0: the number of workers, or of processors
    max_checkpoint_frequency: int = 1000  # finished items that a worker may keep unstored
    max_name_bytes: int = 256  # of names, ids, metadata keys
    max_input_bytes: int = 8 * MIB  # of an item's input
    max_metadata_bytes: int = 64 * KIB  # of an item
    max_parameters_bytes: int = 256 * KIB  # of a phase
    max_output_bytes: int = 16 * MIB  # of a phase's output
    max_blob_bytes: int = 256 * MIB  # of an uploaded document
    max_page_bytes: int = 3 * MIB  # of a page of results; below gRPC's default of 4 MiB

    tasks: dict[str, Any] = field(
        default_factory=dict
    )  # settings of task types, a table by the type's name: see batch-tasks.md
    trial_tasks: bool = False  # offers test.trial, which fails, crashes and hangs on demand

    page: bool = True  # serves the page at /jobs

    def __post_init__(self) -> None:
        not_negative = ("workers", "default_concurrency", "keep_days", "stop_grace_seconds")
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if value < 0 or (value == 0 and name not in not_negative):
                raise InvalidSetting(name, f"{name} must be positive, not {value}")
        check_choice(self, "engine", "local", "celery", "none")
        check_database(self.database_url, self.data_dir)
        if self.engine == "celery" and not self.broker_url:
            raise InvalidSetting("broker_url", "engine = celery requires a broker_url")
        if self.engine == "celery" and not self.database_url:
            text = "engine = celery requires a database_url: workers on other machines cannot reach a file"
            raise InvalidSetting("database_url", text)
        if 0 < self.keep_days < LEAST_DAYS:
            text = f"keep_days must be 0 (for ever) or at least {LEAST_DAYS}: uploaded blobs wait for their job"
            raise InvalidSetting("keep_days", text)
        if self.heartbeat_seconds * 3 > self.lease_seconds:
            text = "heartbeat_seconds must be at most a third of lease_seconds"
            raise InvalidSetting("heartbeat_seconds", text)

    @property
    def worker_count(self) -> int:
        """The number of workers of the local engine."""
        return self.workers or os.cpu_count() or 1

    @property
    def concurrency(self) -> int:
        """The concurrency of a job that sets none."""
        return self.default_concurrency or self.worker_count

    @property
    def policy(self) -> Policy:
        """The part of the settings that the store needs."""
        return Policy(
            lease_seconds=self.lease_seconds,
            max_attempts=self.max_attempts,
            retry_first_seconds=self.retry_first_seconds,
            retry_longest_seconds=self.retry_longest_seconds,
        )
