"""Maps the errors of batch jobs to gRPC statuses with the details that clients act on (AIP-193).

The only module that knows both.
"""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from google.protobuf import message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from ..jobs import errors

Context = grpc.aio.ServicerContext[Any, Any]

DOMAIN = "batch.artificer"

_RETRY_SECONDS = 1

_CODES: dict[type[errors.BatchError], grpc.StatusCode] = {
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.IllegalTransition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.NotReady: grpc.StatusCode.FAILED_PRECONDITION,
    # Not RESOURCE_EXHAUSTED: clients would retry, and what is too large stays too large.
    errors.TooLarge: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TooSlow: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}


def status_of(error: errors.BatchError, prefix: str = "", **facts: str) -> status_pb2.Status:
    """Returns the status of an error; `prefix` is put before its message, `facts` into its ErrorInfo."""
    status = status_pb2.Status(code=_CODES[type(error)].value[0], message=prefix + error.message)
    for detail in _details(error, facts):
        status.details.add().Pack(detail)
    return status


async def abort(context: Context, error: errors.BatchError, prefix: str = "", **facts: str) -> NoReturn:
    """End the call with an error's status."""
    await context.abort_with_status(rpc_status.to_status(status_of(error, prefix, **facts)))


def _details(error: errors.BatchError, facts: dict[str, str]) -> list[message.Message]:
    match error:
        case errors.Invalid():
            found: list[message.Message] = [_violations(error)]
            return [*found, _info("ITEMS_NOT_TAKEN", **facts)] if facts else found
        case errors.Conflict():
            return [_info("REQUEST_ID_IN_USE", job_id=error.job_id, **facts)]
        case errors.IllegalTransition():
            allowed = ",".join(error.allowed)
            info = _info("ILLEGAL_TRANSITION", state=error.state, verb=error.verb, allowed=allowed, **facts)
            return [_precondition(error), info]
        case errors.NotReady():
            return [_precondition(error), _info("JOB_NOT_READY", **facts)]
        case errors.TooLarge():
            return [_info("TOO_LARGE", **facts)]
        case errors.TooSlow():
            return [_info("READER_TOO_SLOW", after=error.after, **facts)]
        case errors.Unavailable():
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromSeconds(_RETRY_SECONDS)
            return [retry, _info("UNAVAILABLE", **facts)]
    return [_info("ITEMS_NOT_TAKEN", **facts)] if facts else []


def _violations(error: errors.Invalid) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[violation(field=fault.field, description=fault.text) for fault in error.faults]
    )


def _precondition(error: errors.BatchError) -> error_details_pb2.PreconditionFailure:
    violation = error_details_pb2.PreconditionFailure.Violation(
        type="JOB_STATE", subject="job", description=error.message
    )
    return error_details_pb2.PreconditionFailure(violations=[violation])


def _info(reason: str, **facts: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=facts)
