"""Sends unexpected errors of worker processes to Sentry, as the gateway sends those of calls.

Knows no service. Without `telemetry.sentry_dsn` it sends nothing, and imports nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diptych.settings.telemetry import TelemetrySettings
    from diptych.telemetry.sentry import Sentry

Report = Callable[[BaseException, str, Mapping[str, str]], None]
"""Takes an error, what was being done, and tags."""


class ErrorReports:
    """What sends the errors of one process."""

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        """`values` are what `handed_over` returned. Raises `MissingExtra` if the SDK is not installed."""
        self._sentry: Sentry | None = None
        if values is not None:
            from diptych.settings.telemetry import TelemetrySettings
            from diptych.telemetry.error_reports import error_reports

            self._sentry = error_reports(TelemetrySettings(**values))

    def report(self, error: BaseException, doing: str, tags: Mapping[str, str]) -> None:
        """Queue an error, which a thread sends."""
        if self._sentry is not None:
            self._sentry.send(error, doing, tags)

    def close(self) -> None:
        """Send what is queued; blocks for up to two seconds."""
        if self._sentry is not None:
            self._sentry.stop()


def handed_over(telemetry: TelemetrySettings | None) -> dict[str, Any] | None:
    """Returns the settings that a process needs for its reports, as JSON values; None if it reports nothing."""
    if telemetry is None or telemetry.sentry_dsn is None:
        return None
    return {
        "sentry_dsn": telemetry.sentry_dsn.get_secret_value(),
        "sentry_environment": telemetry.sentry_environment,
        "sentry_release": telemetry.sentry_release,
    }


def not_reported(error: BaseException, doing: str, tags: Mapping[str, str]) -> None:
    """Report nothing."""
