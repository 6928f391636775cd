"""The short form of `make crash` on PostgreSQL, Valkey and Celery; that of SQLite is in tests/services/batch."""

from __future__ import annotations

import random

from .places import on_cluster, workspace
from .rounds import ATTEMPTS, crashing

ROUNDS = 2


async def test_nothing_is_lost_doubled_or_stuck_on_a_cluster_after_kills() -> None:
    seed = random.getrandbits(32)  # pytest prints its own seed, from which this one derives
    with workspace() as folder:
        async with (
            on_cluster(folder, processes=2, lease_seconds=5.0, heartbeat_seconds=1.0, max_attempts=ATTEMPTS) as place,
            crashing(place, seed) as crash,
        ):
            for _ in range(ROUNDS):
                done = await crash.round()
                assert not done.faults, str(done)
            assert not await crash.close()
