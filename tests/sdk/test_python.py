"""Every case of the table with Python's clients: grpcio's stubs, which prove the table and its server, and the SDK."""

from __future__ import annotations

import pytest

from tests.sdk import case_table, grpc_clients, sdk_clients
from tests.sdk.case_table import Case
from tests.sdk.outcome import Line, check

CASES = case_table.read()

# grpcio's stubs do not retry.
STUB_CASES = {name: case for name, case in CASES.items() if case.text.expect.attempts is None}

IMPOSSIBLE = {
    "values/nanoseconds": "the SDK gives a datetime, whose finest unit is the microsecond",
}
ASYNC_CASES = {name: case for name, case in CASES.items() if name not in IMPOSSIBLE}
# A synchronous call holds its thread until the first answer, so that nobody can cancel it before.
SYNC_CASES = {name: case for name, case in ASYNC_CASES.items() if case.text.cancel_after != 0}

both_transports = pytest.mark.parametrize("transport", ["rest", "grpc"])


@pytest.mark.parametrize("case", STUB_CASES.values(), ids=STUB_CASES)
def test_stub(artificer_cases: Line, case: Case) -> None:
    """grpcio's synchronous stub sees what the case expects."""
    check(case, grpc_clients.call(artificer_cases, case))


@pytest.mark.parametrize("case", STUB_CASES.values(), ids=STUB_CASES)
async def test_aio_stub(artificer_cases: Line, case: Case) -> None:
    """grpcio's asyncio stub sees what the case expects."""
    check(case, await grpc_clients.call_aio(artificer_cases, case))


@both_transports
@pytest.mark.parametrize("case", SYNC_CASES.values(), ids=SYNC_CASES)
def test_client(artificer_cases: Line, case: Case, transport: str) -> None:
    """`Artificer` sees what the case expects."""
    check(case, sdk_clients.call(artificer_cases, case, transport))


@both_transports
@pytest.mark.parametrize("case", ASYNC_CASES.values(), ids=ASYNC_CASES)
async def test_async_client(artificer_cases: Line, case: Case, transport: str) -> None:
    """`AsyncArtificer` sees what the case expects."""
    check(case, await sdk_clients.call_async(artificer_cases, case, transport))


def test_impossible_cases_exist() -> None:
    """A case that was renamed would otherwise leave its exception behind."""
    assert IMPOSSIBLE.keys() <= CASES.keys()
