"""An outage is said once, then counted, and its end is said with the number of failures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from diptych import outages
from diptych.outages import OutageLog, one_line

logger = logging.getLogger("tests.outages")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    # Timers of outages in other tests may end meanwhile.
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == logger.name]


class Clock:
    """A clock and a timer that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((self.now + seconds, call))

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [one for one in self.calls if one[0] <= self.now]
        self.calls = [one for one in self.calls if one[0] > self.now]
        for _, call in due:
            call()


def log_of(clock: Clock) -> OutageLog:
    return OutageLog(logger, "the store", clock=lambda: clock.now, later=clock.later)


def test_an_outage_is_said_once_and_its_end_with_the_count(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = log_of(clock)
    with caplog.at_level(logging.DEBUG):
        log.recovered()
        assert not caplog.records
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(log.failed, ["refused"] * 1000))
        lasting = [log.lasting]
        clock.move(60)
        log.recovered()
        lasting.append(log.lasting)
        assert lasting == [True, False]
        log.recovered()
        log.failed("refused again")
    assert said(caplog) == [
        ("WARNING", "the store: refused; retrying, further failures are counted"),
        ("INFO", "the store is available again after 1000 failures in 60 s"),
        ("WARNING", "the store: refused again; retrying, further failures are counted"),
    ]


def test_an_outage_with_successes_in_between_is_one(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = log_of(clock)
    with caplog.at_level(logging.DEBUG):
        for _ in range(100):
            log.failed("too many connections")
            clock.move(1)
            log.recovered()
            clock.move(1)
        assert len(clock.calls) == 1
        clock.move(7)
        assert said(caplog) == [("WARNING", "the store: too many connections; retrying, further failures are counted")]
        clock.move(2)  # the success that ended it is not repeated
        clock.move(60)
    assert said(caplog)[1:] == [("INFO", "the store is available again after 100 failures in 199 s")]
    assert not clock.calls


def test_an_outage_that_goes_on_after_a_success_is_not_said_to_be_over(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = log_of(clock)
    with caplog.at_level(logging.DEBUG):
        log.failed("refused")
        log.recovered()
        log.failed("refused")
        clock.move(599)
        log.failed("refused")
        clock.move(1)
        log.failed("refused")
    assert log.lasting
    assert [text for _, text in said(caplog)] == [
        "the store: refused; retrying, further failures are counted",
        "the store: 4 failures in 600 s, now: refused",
    ]


def test_the_end_is_said_without_a_further_call(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_QUIET_SECONDS", 0.05)
    log = OutageLog(logger, "the store")
    with caplog.at_level(logging.DEBUG):
        log.failed("refused")
        log.recovered()
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()
    assert said(caplog)[1:] == [("INFO", "the store is available again after 1 failures in 0 s")]


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
