"""The server that Connect's conformance suite tests: its ConformanceService, served by a gateway on the default engine.

The suite runs `python -m tests.conformance.server DESCRIPTORS` for each kind of server that it needs, writes a
ServerCompatRequest to its standard input, and reads the address from its standard output. What the service must do is
specified in the suite's `service.proto`; `DESCRIPTORS` is a FileDescriptorSet of it (see `tools.py`). No code is
generated from it, since Python modules in the package `connectrpc` would hide the client of that name.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2

from diptych import Gateway, Settings

from . import described

PACKAGE = "connectrpc.conformance.v1"
SERVICE = f"{PACKAGE}.ConformanceService"
BINARY = "-bin"

Context = grpc.aio.ServicerContext[Any, Any]
Pairs = list[tuple[str, str | bytes]]


def message(name: str, /, **fields: Any) -> Any:
    """Returns a message of the suite's package, `ServerStreamResponse` for instance."""
    return described.message(f"{PACKAGE}.{name}", **fields)


def pairs_of(headers: Iterable[Any]) -> Pairs:
    """Returns metadata for the suite's headers, in which binary values are base64."""
    return [(header.name.lower(), _value(header.name, text)) for header in headers for text in header.value]


def _value(name: str, text: str) -> str | bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4)) if name.lower().endswith(BINARY) else text


def headers_of(pairs: Iterable[tuple[str, str | bytes]]) -> list[Any]:
    """Returns the suite's headers for metadata."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        text = value if isinstance(value, str) else base64.b64encode(value).rstrip(b"=").decode()
        found.setdefault(name, []).append(text)
    return [message("Header", name=name, value=values) for name, values in found.items()]


def request_info(context: Context, requests: Sequence[Any]) -> Any:
    """Returns what the servicer has seen of the call."""
    info = message("ConformancePayload.RequestInfo", request_headers=headers_of(context.invocation_metadata() or ()))
    remaining = context.time_remaining()
    if remaining is not None:
        info.timeout_ms = int(remaining * 1000)
    for request in requests:
        info.requests.add().Pack(request)
    return info


async def fail(context: Context, error: Any, trailing: Pairs, info: Any = None) -> None:
    """Ends the call with the suite's `error`; `info` becomes its last detail."""
    status = status_pb2.Status(code=error.code, message=error.message, details=error.details)
    if info is not None:
        packed = any_pb2.Any()
        packed.Pack(info)
        status.details.append(packed)
    code = next(code for code in grpc.StatusCode if code.value[0] == error.code)
    details = ("grpc-status-details-bin", status.SerializeToString())
    await context.abort(code, error.message, (*trailing, details))


async def delay(definition: Any) -> None:
    """Waits for as long as the request asks."""
    await asyncio.sleep(definition.response_delay_ms / 1000)


async def one_response(definition: Any, context: Context, requests: Sequence[Any]) -> Any:
    """Returns the payload of a method without a response stream, as `definition` describes it."""
    info = request_info(context, requests)
    trailing = pairs_of(definition.response_trailers)
    if definition.response_headers:
        await context.send_initial_metadata(pairs_of(definition.response_headers))
    context.set_trailing_metadata(trailing)
    await delay(definition)
    if definition.HasField("error"):
        await fail(context, definition.error, trailing, info)
    return message("ConformancePayload", data=definition.response_data, request_info=info)


async def begin(definition: Any, context: Context) -> None:
    """Sends the headers of a response stream at once, as the suite requires before its first message."""
    if definition.response_headers or definition.response_data:
        await context.send_initial_metadata(pairs_of(definition.response_headers))
    context.set_trailing_metadata(pairs_of(definition.response_trailers))


async def unary(request: Any, context: Context) -> Any:
    return message("UnaryResponse", payload=await one_response(request.response_definition, context, [request]))


async def idempotent_unary(request: Any, context: Context) -> Any:
    payload = await one_response(request.response_definition, context, [request])
    return message("IdempotentUnaryResponse", payload=payload)


async def unimplemented(request: Any, context: Context) -> Any:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Unimplemented is not implemented")


async def client_stream(requests: AsyncIterator[Any], context: Context) -> Any:
    received = [request async for request in requests]
    definition = received[0].response_definition if received else message("UnaryResponseDefinition")
    return message("ClientStreamResponse", payload=await one_response(definition, context, received))


async def server_stream(request: Any, context: Context) -> AsyncIterator[Any]:
    definition = request.response_definition
    await begin(definition, context)
    for number, data in enumerate(definition.response_data):
        info = request_info(context, [request]) if number == 0 else None
        await delay(definition)
        yield message("ServerStreamResponse", payload=message("ConformancePayload", data=data, request_info=info))
    await end(definition, context, [request])


async def end(definition: Any, context: Context, requests: Sequence[Any]) -> None:
    """Ends a response stream, with the error of `definition` if it has one."""
    if definition.HasField("error"):
        info = None if definition.response_data else request_info(context, requests)
        await fail(context, definition.error, pairs_of(definition.response_trailers), info)


async def bidi_stream(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
    first = await anext(requests, None)
    if first is None:
        return
    received, definition = [first], first.response_definition
    if not first.full_duplex:
        received += [request async for request in requests]
    await begin(definition, context)
    for number, data in enumerate(definition.response_data):
        info = None
        if number == 0:
            info = request_info(context, received)
        elif first.full_duplex and (request := await anext(requests, None)) is not None:
            received.append(request)
            info = message("ConformancePayload.RequestInfo")
            info.requests.add().Pack(request)
        await delay(definition)
        yield message("BidiStreamResponse", payload=message("ConformancePayload", data=data, request_info=info))
    await end(definition, context, received)


BEHAVIOURS: dict[str, Any] = {
    "Unary": unary,
    "IdempotentUnary": idempotent_unary,
    "Unimplemented": unimplemented,
    "ClientStream": client_stream,
    "ServerStream": server_stream,
    "BidiStream": bidi_stream,
}


def settings_for(request: Any, folder: Path, *, single_port: bool) -> Settings:
    """Returns the settings of the server that a ServerCompatRequest asks for; certificates are written to `folder`."""
    chosen: dict[str, Any] = {"http_port": 0, "grpc_port": 0, "single_port": single_port}
    chosen |= {"grace_seconds": 1, "log_level": "warning"}
    if request.message_receive_limit:
        chosen["max_body_bytes"] = request.message_receive_limit
    if request.use_tls:
        files = {"tls_certificate": request.server_creds.cert, "tls_key": request.server_creds.key}
        if request.client_tls_cert:
            files["tls_client_ca"] = request.client_tls_cert
            chosen["tls_client_auth"] = "required"
        for name, content in files.items():
            chosen[name] = folder / f"{name}.pem"
            chosen[name].write_bytes(content)
    return Settings(**chosen)


async def serve(request: Any, *, single_port: bool) -> None:
    """Serves until SIGTERM; reports the port of gRPC on standard output."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(settings_for(request, Path(folder), single_port=single_port))
        gateway.add_registered_method_handlers(SERVICE, described.handlers(SERVICE, BEHAVIOURS))
        async with gateway:
            answer = message("ServerCompatResponse", host="127.0.0.1", port=gateway.grpc_port)
            answer.pem_cert = request.server_creds.cert
            written = answer.SerializeToString()
            sys.stdout.buffer.write(len(written).to_bytes(4, "big") + written)
            sys.stdout.buffer.flush()
            await stopping.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the service of Connect's conformance suite.")
    parser.add_argument("descriptors", type=Path, help="a FileDescriptorSet of the suite's protos")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop")
    parser.add_argument("--port", choices=("single", "grpc"), default="single", help="the port that is tested")
    arguments = parser.parse_args()
    described.load(arguments.descriptors, PACKAGE)
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    request = message("ServerCompatRequest").FromString(sys.stdin.buffer.read(size))
    factory = None
    if arguments.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(request, single_port=arguments.port == "single"))


if __name__ == "__main__":
    main()
