"""Errors of chat as gRPC statuses, with the details that clients act on (AIP-193)."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from google.protobuf import duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from . import errors

Context = grpc.aio.ServicerContext[Any, Any]

DOMAIN = "chat.artificer"

_CODES: dict[type[errors.ChatError], grpc.StatusCode] = {
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.BeyondEnd: grpc.StatusCode.OUT_OF_RANGE,
    # A reader's share of memory is used up. Not ABORTED: HTTP would call that a conflict.
    errors.TooSlow: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}


def status_of(error: errors.ChatError, prefix: str = "", **facts: str) -> status_pb2.Status:
    """The status of an error; `prefix` begins its message, `facts` go into its ErrorInfo."""
    status = status_pb2.Status(code=_CODES[type(error)].value[0], message=prefix + error.message)
    details: list[message.Message] = []
    match error:
        case errors.Invalid():
            details.append(_violations(error))
        case errors.Conflict():
            details.append(_info("REQUEST_ID_IN_USE", id=error.id, **facts))
        case errors.TooSlow():
            details.append(_info("READER_TOO_SLOW", after=error.after))
        case errors.BeyondEnd():
            details.append(_info("BEYOND_END"))
        case errors.Unavailable():
            details.append(_retry(error.retry_seconds))
    if facts and not isinstance(error, errors.Conflict):
        details.append(_info("MESSAGE_NOT_TAKEN", **facts))
    for detail in details:
        status.details.add().Pack(detail)
    return status


async def abort(context: Context, error: errors.ChatError, prefix: str = "", **facts: str) -> NoReturn:
    """End the call with an error's status."""
    await context.abort_with_status(rpc_status.to_status(status_of(error, prefix, **facts)))


def _violations(error: errors.Invalid) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[violation(field=fault.field, description=fault.text) for fault in error.faults]
    )


def _retry(seconds: float) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(max(1, round(seconds * 1000)))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _info(reason: str, **facts: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=facts)
