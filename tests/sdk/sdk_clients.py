"""Runs a case with the SDK: `Artificer` and `AsyncArtificer`, by REST and by gRPC."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict

from artificer import APIError, Artificer, AsyncArtificer
from artificer._grpc.messages import to_message
from artificer._method import Kind, Method
from artificer._methods import find
from artificer._options import CallOptions
from tests.sdk.case_messages import Metadata, detail
from tests.sdk.case_table import Case
from tests.sdk.outcome import Calls, Line, Outcome
from tests.waiting import until, wait_for


def call(line: Line, case: Case, transport: str) -> Outcome:
    """Runs a case with the synchronous client."""
    calls, outcome, method = Calls(line, case), Outcome(), find(case.text.method)
    with Artificer(**_client(line, case, transport)) as client:
        try:
            _run(client, method, case, outcome)
        except APIError as error:
            _add_error(outcome, method, error)
        if case.text.cancel_after is not None:  # the client is open: the call ends by itself
            wait_for(calls.cancelled)
    outcome.attempts = calls.attempts()
    return outcome


def _run(client: Artificer, method: Method[Any, Any], case: Case, outcome: Outcome) -> None:
    options, requests = _options(case), iter(_models(method, case))
    if method.kind is Kind.UNARY:
        reply = client.call(method.name, _fields(next(requests)), **options)
        _add_reply(outcome, reply)
        return
    if method.kind is Kind.CLIENT_STREAM:
        _add(outcome, client._calls.client_stream(method, requests, _path(method, case), options))
        return
    responses: Any
    if method.kind is Kind.SERVER_STREAM:
        responses = client._calls.stream(method, _fields(next(requests)), options)
    else:
        responses = client._calls.duplex(method, None if case.text.lockstep else requests, _path(method, case), options)
    with responses:
        _send_next(responses, case, requests)
        for response in responses:
            _add(outcome, response)
            if len(outcome.responses) == case.text.cancel_after:
                outcome.code = grpc.StatusCode.CANCELLED
                break
            _send_next(responses, case, requests)
        if method.kind is Kind.SERVER_STREAM:
            outcome.initial_metadata = _metadata(responses.metadata)


def _send_next(responses: Any, case: Case, requests: Iterator[Any]) -> None:
    if case.text.lockstep:
        request = next(requests, None)
        if request is None:
            responses.done()
        else:
            responses.send(request)


async def call_async(line: Line, case: Case, transport: str) -> Outcome:
    """Runs a case with the asynchronous client."""
    calls, outcome, method = await asyncio.to_thread(Calls, line, case), Outcome(), find(case.text.method)
    async with AsyncArtificer(**_client(line, case, transport)) as client:
        running = asyncio.ensure_future(_run_async(client, method, case, outcome))
        if case.text.cancel_after == 0:
            started = asyncio.ensure_future(until(calls.started))
            await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            started.cancel()
        try:
            await running
        except APIError as error:
            _add_error(outcome, method, error)
        except asyncio.CancelledError:
            assert running.cancelled()
            outcome.code = grpc.StatusCode.CANCELLED
        if case.text.cancel_after is not None:  # the client is open: the call ends by itself
            await until(calls.cancelled)
    outcome.attempts = await asyncio.to_thread(calls.attempts)
    return outcome


async def _run_async(client: AsyncArtificer, method: Method[Any, Any], case: Case, outcome: Outcome) -> None:
    options, requests = _options(case), iter(_models(method, case))
    if method.kind is Kind.UNARY:
        _add_reply(outcome, await client.call(method.name, _fields(next(requests)), **options))
        return
    if method.kind is Kind.CLIENT_STREAM:
        _add(outcome, await client._calls.client_stream(method, requests, _path(method, case), options))
        return
    responses: Any
    if method.kind is Kind.SERVER_STREAM:
        responses = client._calls.stream(method, _fields(next(requests)), options)
    else:
        responses = client._calls.duplex(method, None if case.text.lockstep else requests, _path(method, case), options)
    async with responses:
        await _send_next_async(responses, case, requests)
        async for response in responses:
            _add(outcome, response)
            if len(outcome.responses) == case.text.cancel_after:
                outcome.code = grpc.StatusCode.CANCELLED
                break
            await _send_next_async(responses, case, requests)
        if method.kind is Kind.SERVER_STREAM:
            outcome.initial_metadata = _metadata(responses.metadata)


async def _send_next_async(responses: Any, case: Case, requests: Iterator[Any]) -> None:
    if case.text.lockstep:
        request = next(requests, None)
        if request is None:
            await responses.done()
        else:
            await responses.send(request)


def _client(line: Line, case: Case, transport: str) -> dict[str, Any]:
    tls = case.text.tls
    return {
        "transport": transport,
        "base_url": line["https" if tls else "http"],
        "target": f"grpcs://{line['grpcs']}" if tls else line["grpc"],
        "ca": line["ca"] if tls else None,
        "api_key": line["api_key"] if case.text.api_key is None else case.text.api_key,
    }


def _options(case: Case) -> CallOptions:
    headers: Any = {"x-case": case.name, "x-run": str(uuid.uuid4()), **case.metadata}
    options: CallOptions = {"headers": headers}
    if case.text.deadline_seconds is not None:
        options["timeout"] = case.text.deadline_seconds
    # In a stream of requests each message has its own.
    if not case.method.client_streaming and any("requestId" in request for request in case.text.requests[:1]):
        options["idempotency_key"] = case.text.requests[0]["requestId"]
    return options


def _path(method: Method[Any, Any], case: Case) -> dict[str, Any]:
    """Returns the fields of the path, which the SDK's methods of streams have as parameters."""
    names = re.findall(r"\{([a-z_]+)", method.path)
    return {name: getattr(case.requests[0], name) if case.requests else "any" for name in names}


def _models(method: Method[Any, Any], case: Case) -> list[Any]:
    """Returns the requests as a caller would make them: from the JSON of the case, with `fill` applied."""
    return [method.request.model_validate(MessageToDict(request)) for request in case.requests]


def _fields(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set}


def _add(outcome: Outcome, model: Any) -> None:
    outcome.values.append(model)
    outcome.responses.append(Empty() if model is None else to_message(model))


def _add_reply(outcome: Outcome, reply: Any) -> None:
    _add(outcome, reply.value)
    outcome.initial_metadata = _metadata(reply.metadata)
    outcome.trailing_metadata = _metadata(reply.trailing_metadata)


def _add_error(outcome: Outcome, method: Method[Any, Any], error: APIError) -> None:
    outcome.code, outcome.message = grpc.StatusCode[error.code], error.message
    outcome.details = [detail(given) for given in error.details]
    if method.kind in (Kind.UNARY, Kind.CLIENT_STREAM):  # REST does not show the trailing metadata of streams
        outcome.initial_metadata = outcome.trailing_metadata = _metadata(error.metadata)


def _metadata(found: Mapping[str, str | bytes | list[bytes]]) -> Metadata:
    return {name: tuple(value) if isinstance(value, list) else (value,) for name, value in found.items()}
