"""A call in a task of its own, as one with a deadline has."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from diptych.call.run import Stragglers, timed


async def test_an_error_in_the_turn_in_which_the_client_leaves_is_not_logged_as_forgotten() -> None:
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))

    async def fails() -> None:
        raise ValueError("of the servicer")

    call = asyncio.ensure_future(timed(fails(), None, 60.0, Stragglers()))
    await asyncio.sleep(0)  # the call has begun, and its task runs in the next turn
    call.cancel()
    await asyncio.wait({call})
    assert call.cancelled()
    del call  # whose traceback holds the task
    gc.collect()
    assert logged == []
