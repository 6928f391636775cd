"""Who calls, as the models' token budgets distinguish callers."""

from __future__ import annotations

from diptych import principal


def caller_id() -> str:
    """Returns the id of the principal of the current call; empty for an anonymous one."""
    caller = principal()
    return "" if caller is None else caller.id
