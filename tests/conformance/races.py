"""Failures of Connect's suite that may be a race inside its client: such a case runs again, alone, and must then pass.

The client ends its calls at the deadline that it sends, so it gives up about when the server's error arrives. It then
judges as much of the error's body as it has read (`referenceclient/wire_details.go` of the suite, v1.0.7). Over HTTP/2
that can be nothing: Go's `net/http` hands HEADERS to the reader before it parses the DATA behind them, and a deadline
that ends in between fails the read. A server cannot prevent it, since head and body are two frames; ours writes both at
once. Of 48,000 calls with a deadline of 20 ms, on two cores with four busy loops, 4 failed so.

In most runs the client has left before the error arrives, so these cases say little about its body, alone or not.
`tests/gateway/test_response_writes.py` tests that it is whole and goes out with its head.

Over HTTP/1.1 a failure counts: a head and a body that arrive in one piece are both read, even after the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

RUNS = 5
_CASES = "Timeouts/HTTPVersion:2/Protocol:PROTOCOL_CONNECT/*/unary"
_SAID = "connect error JSON: unexpected end of JSON input"


def settled(
    failed: Mapping[str, str], run_alone: Callable[[str], str | None], say: Callable[[str], None]
) -> dict[str, str]:
    """Runs each case that may have failed by the race again, `RUNS` times; returns the failures that remain.

    `failed` has what the suite says of each case, and `run_alone` returns it for one, or None if that passes. A case
    that fails once more remains, and so does every other failure. `say` reports each case that ran again.
    """
    found: dict[str, str] = {}
    for case, said in failed.items():
        if not _may_be_a_race(case, said):
            found[case] = said
            continue
        again = [one for one in (run_alone(case) for _ in range(RUNS)) if one is not None]
        say(f"{case} failed by its client's deadline; run again alone, it failed {len(again)} of {RUNS} times")
        if again:
            found[case] = "\n".join((said.strip(), *(f"run again alone: {one.strip()}" for one in again)))
    return found


def _may_be_a_race(case: str, said: str) -> bool:
    return fnmatchcase(case, _CASES) and said.strip() == _SAID
