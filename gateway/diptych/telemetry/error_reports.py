"""Makes what sends unexpected errors to Sentry, if the settings ask for it.

It sends nothing itself, and imports the SDK, which is an extra, only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import need
from ..settings.telemetry import TelemetrySettings

if TYPE_CHECKING:
    from .sentry import Sentry


def error_reports(settings: TelemetrySettings) -> Sentry | None:
    """Returns what sends them, or None without `telemetry.sentry_dsn`. Raises `MissingExtra`."""
    if settings.sentry_dsn is None:
        return None
    need("telemetry.sentry_dsn", "sentry-sdk", "sentry", "sentry_sdk")
    from .sentry import Sentry

    return Sentry(settings.sentry_dsn.get_secret_value(), settings)
