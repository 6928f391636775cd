"""Turns service errors into gRPC statuses, with the details that clients act on (AIP-193).

The only module that knows both. Knows no service's own errors.
"""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from google.protobuf import duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from diptych.status import StatusError

from .errors import Fault, ServiceError

Context = grpc.aio.ServicerContext[Any, Any]


class Statuses:
    """Makes the statuses of one service, whose ErrorInfo has the domain `domain`.

    `refused` is the ErrorInfo reason of errors without one, if a call adds facts to them: AIP-193 requires a reason.
    """

    def __init__(self, domain: str, refused: str = "") -> None:
        self._domain, self._refused = domain, refused

    def status_of(self, error: ServiceError, prefix: str = "", **facts: str) -> status_pb2.Status:
        """Returns the status of an error, with `prefix` before its message and `facts` in its ErrorInfo."""
        status = status_pb2.Status(code=grpc.StatusCode[error.kind.name].value[0], message=prefix + error.message)
        for detail in self._details(error, facts):
            status.details.add().Pack(detail)
        return status

    async def abort(
        self, context: Context, error: ServiceError | StatusError, prefix: str = "", **facts: str
    ) -> NoReturn:
        """End the call with the status of an error, which may be that of a message that cannot be read."""
        if isinstance(error, ServiceError):
            status = self.status_of(error, prefix, **facts)
        else:
            status = self._unreadable(error, prefix, facts)
        await context.abort_with_status(rpc_status.to_status(status))

    def _unreadable(self, error: StatusError, prefix: str, facts: dict[str, str]) -> status_pb2.Status:
        known = error.status
        status = status_pb2.Status(code=known.number, message=prefix + known.message, details=known.details)
        if facts and self._refused:
            status.details.add().Pack(self._info(self._refused, facts))
        return status

    def _info(self, reason: str, facts: dict[str, str]) -> error_details_pb2.ErrorInfo:
        return error_details_pb2.ErrorInfo(reason=reason, domain=self._domain, metadata=facts)

    def abort_on_error(self, context: Context) -> _AbortOnError:
        """Returns a context manager that ends the call with the status of a `ServiceError` raised within it."""
        return _AbortOnError(self, context)

    def _details(self, error: ServiceError, facts: dict[str, str]) -> list[message.Message]:
        details: list[message.Message] = []
        if error.faults:
            details.append(_bad_request(error.faults))
        if error.precondition:
            details.append(_precondition(*error.precondition, error.message))
        if error.retry_seconds is not None:
            details.append(_retry(error.retry_seconds))
        if reason := error.reason or (facts and self._refused):
            details.append(self._info(reason, {**error.facts, **facts}))
        return details


class _AbortOnError:
    """A class, not a generator: it is entered in every call and costs less, and a streaming call yields within it."""

    __slots__ = ("_context", "_statuses")

    def __init__(self, statuses: Statuses, context: Context) -> None:
        self._statuses, self._context = statuses, context

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ServiceError):
            await self._statuses.abort(self._context, error)


def _bad_request(faults: tuple[Fault, ...]) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[violation(field=fault.field, description=fault.text) for fault in faults]
    )


def _precondition(kind: str, subject: str, text: str) -> error_details_pb2.PreconditionFailure:
    violation = error_details_pb2.PreconditionFailure.Violation(type=kind, subject=subject, description=text)
    return error_details_pb2.PreconditionFailure(violations=[violation])


def _retry(seconds: float) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(max(1, round(seconds * 1000)))
    return error_details_pb2.RetryInfo(retry_delay=delay)
