"""Unexpected errors as events of Sentry: the exception and its traceback, and the id that the client was given.

sentry-sdk is an extra, so that this module is imported only if `telemetry.sentry_dsn` is set. A client of our own is
used instead of the SDK's global one, so that none of its integrations collects requests, logs, users or variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from ..settings.telemetry import TelemetrySettings

_STOP_SECONDS = 2.0  # for the events that are not sent yet


class Sentry:
    """Sends events from a thread of the SDK; when its queue is full, further ones are dropped."""

    def __init__(self, dsn: str, settings: TelemetrySettings) -> None:
        self._worker = settings.worker
        self._client = sentry_sdk.Client(
            dsn,
            environment=settings.sentry_environment,
            release=settings.sentry_release,  # never None: the SDK would run git to find one
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            send_client_reports=False,
            spotlight=False,
            shutdown_timeout=_STOP_SECONDS,
        )

    def report(self, error: BaseException, error_id: str, method: str, protocol: str) -> None:
        """Queues an event. `method` is `/{package.Service}/{Method}`, or the word for unknown ones."""
        self.send(error, method, {"error_id": error_id, "method": method, "protocol": protocol})

    def send(self, error: BaseException, transaction: str, tags: Mapping[str, str]) -> None:
        """Queues an event with these tags. `transaction` is what was being done, such as a method or a task type."""
        event: Any
        event, hint = event_from_exception(error, self._client.options, mechanism={"type": "diptych", "handled": False})
        event["tags"] = {**tags, "worker": self._worker} if self._worker else dict(tags)
        event["transaction"] = transaction
        self._client.capture_event(event, hint)

    def stop(self) -> None:
        """Sends what is queued; blocks for up to two seconds."""
        self._client.close(timeout=_STOP_SECONDS)
