"""What failed requests mean, and that no text of a server tells callers a secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest

from artificer_services.ai.models.errors import Broken, PromptTooLong, Refused, Unavailable, UpstreamExhausted
from artificer_services.ai.models.upstream.failures import Failed, Failures, retry_after

KEY = "abc-secret-123"
FAILURES = Failures("m", KEY, "models.example.com:8443")


def failure(status: int, error: Any = None, headers: dict[str, str] | None = None) -> Failed:
    body = b"" if error is None else orjson.dumps({"error": error})
    return FAILURES.of_status(status, headers or {}, body)


@pytest.mark.parametrize(
    ("failed", "kind", "text", "counts", "again"),
    [
        (failure(429, headers={"retry-after": "3"}), UpstreamExhausted, "accepts no more requests", False, True),
        (failure(429, {"code": "insufficient_quota"}), UpstreamExhausted, "accepts no more requests", False, False),
        (failure(408), Unavailable, "answered 408", True, True),
        (failure(409), Unavailable, "answered 409", True, True),
        (failure(500, {"message": "trace"}), Unavailable, "answered 500", True, True),
        (failure(529), Unavailable, "answered 529", True, True),
        (failure(401, {"message": f"bad key {KEY}"}), Broken, "refuses the credentials", True, False),
        (failure(403), Broken, "refuses the credentials", True, False),
        (failure(404, {"message": "no such model"}), Broken, "configured name", True, False),
        (failure(302), Broken, "configured URL", True, False),
        (failure(413), PromptTooLong, "Large", False, False),
        (failure(400, {"message": "no", "code": "context_length_exceeded"}), PromptTooLong, "no", False, False),
        (
            failure(400, {"message": "This model's maximum context length is 4096 tokens."}),
            PromptTooLong,
            "4096",
            False,
            False,
        ),
        (failure(400, "the request exceeds the available context size"), PromptTooLong, "context", False, False),
        (failure(400, {"message": "no tools here", "param": "tools"}), Refused, "no tools here", False, False),
        (failure(422, {"detail": "bad"}), Refused, "bad", False, False),
        (failure(451), Refused, "Legal", False, False),
        (failure(499), Refused, "status 499", False, False),
    ],
)
def test_statuses(failed: Failed, kind: type[Exception], text: str, counts: bool, again: bool) -> None:
    assert isinstance(failed.error, kind)
    assert text in failed.error.message
    assert (failed.counts, failed.again) == (counts, again)


def test_a_refusal_names_the_field() -> None:
    refused = failure(400, {"message": "no", "param": "messages[0].content"}).error
    assert [fault.field for fault in refused.faults] == ["messages[0].content"]
    assert [fault.field for fault in failure(400, {"message": "no", "param": "<script>"}).error.faults] == [""]


def test_the_servers_wish_reaches_the_caller() -> None:
    assert failure(429, headers={"retry-after": "7.5"}).error.retry_seconds == 7.5
    assert failure(503, headers={"retry-after": "120"}).error.retry_seconds == 120


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "too long", "code": 400}, Refused),
        ({"message": "out of memory", "code": 500}, Broken),
        ({"message": "slow down", "code": 429}, UpstreamExhausted),
        ("odd", Broken),
    ],
)
def test_errors_in_a_stream(error: Any, kind: type[Exception]) -> None:
    assert isinstance(FAILURES.of_error({"error": error}).error, kind)


@pytest.mark.parametrize(
    "text",
    [
        f"wrong key {KEY}",
        "see https://models.example.com/v1/chat?key=1",
        "connecting to models.example.com:8443 failed",
        "at 10.1.2.3:8000",
        "Incorrect API key provided: sk-proj-abcdefgh12345",
        "limit in organization org-Abcd1234 reached",
        "Authorization: Bearer abcdefgh",
    ],
)
def test_texts_are_made_safe(text: str) -> None:
    safe = FAILURES.safe(text)
    assert "***" in safe
    for secret in (KEY, "example", "10.1", "abcdefgh", "Abcd"):
        assert secret not in safe


def test_texts_are_cut_and_on_one_line() -> None:
    assert FAILURES.safe("a\nb\t c") == "a b c"
    assert len(FAILURES.safe("x" * 5000)) == 301


def test_no_failure_shows_the_key() -> None:
    failed = FAILURES.connection(OSError(f"cannot connect to models.example.com with {KEY}"))
    assert KEY not in f"{failed!r} {failed} {failed.error!r} {failed.error} {FAILURES!r}"


def test_retry_after() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after({}) is None
    assert retry_after({"retry-after": "5"}) == 5
    assert retry_after({"retry-after": "-5"}) == 0
    assert retry_after({"retry-after": "inf"}) is None
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "9" * 20}) == 366 * 86_400
    assert retry_after({"retry-after": "Mon, 30 Nov 2026 10:00:00 +" + "9" * 20}) is None
    assert retry_after({"retry-after": later, "date": format_datetime(now, usegmt=True)}) == 90
    assert 80 < (retry_after({"retry-after": later}) or 0) <= 90
