"""An outage is said once, then counted, and its end is said with the number of failures."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from diptych import outages
from diptych.outages import OutageLog, one_line

logger = logging.getLogger("tests.outages")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_an_outage_is_said_once_and_its_end_with_the_count(caplog: pytest.LogCaptureFixture) -> None:
    log = OutageLog(logger, "the store")
    with caplog.at_level(logging.DEBUG):
        log.recovered()
        assert not caplog.records
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(log.failed, ["refused"] * 1000))
        lasting = [log.lasting]
        log.recovered()
        lasting.append(log.lasting)
        assert lasting == [True, False]
        log.recovered()
        log.failed("refused again")
    assert said(caplog) == [
        ("WARNING", "the store: refused; retrying, further failures are counted"),
        ("INFO", "the store is available again after 1000 failures in 0 s"),
        ("WARNING", "the store: refused again; retrying, further failures are counted"),
    ]


def test_a_lasting_outage_is_said_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    log = OutageLog(logger, "the store")
    monkeypatch.setattr(outages, "_REMIND_SECONDS", 0.0)
    for text in ("refused", "refused", "no such host"):
        log.failed(text)
    assert [text for _, text in said(caplog)] == [
        "the store: refused; retrying, further failures are counted",
        "the store: 2 failures in 0 s, now: refused",
        "the store: 3 failures in 0 s, now: no such host",
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\nlines\t and tabs"), "two lines and tabs"),
        (ValueError("lost\n[SQL: SELECT secret]\n(Background on this error at: …)"), "lost"),
        (TimeoutError(), "TimeoutError()"),
    ],
)
def test_an_error_is_one_line_without_its_statement(error: Exception, text: str) -> None:
    assert one_line(error) == text
