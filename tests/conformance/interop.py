"""Runs gRPC's interop client in Go over both ports of a gateway: its TestService, as gRPC's interop tests specify it.

See doc/interop-test-descriptions.md in grpc/grpc. The cases that need Google's cloud or ORCA are left out.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from diptych import Gateway, Settings
from tests.certificates import Authority, settings

from . import described, tools

CASES = (
    *("empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream"),
    *("timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response"),
    *("status_code_and_message", "special_status_message", "custom_metadata"),
    *("unimplemented_method", "unimplemented_service", "rpc_soak", "channel_soak"),
)

# The client's own limits, 1 and 10 seconds, measure the machine: one call took longer on a busy one.
_SOAK = ("-soak_per_iteration_max_acceptable_latency_ms=20000", "-soak_overall_timeout_seconds=60")
_PACKAGE = "grpc.testing"
_INITIAL, _TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"

Context = grpc.aio.ServicerContext[Any, Any]


async def run(port: str, *, tls: bool) -> tuple[int, dict[str, str]]:
    """Runs all cases on a port, `single` or `grpc`; returns their number, and the client's words about each failure."""
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        chosen: dict[str, Any] = settings(authority.shown()) if tls else {}
        chosen |= {"http_port": 0, "grpc_port": 0, "grace_seconds": 0, "single_port": port == "single"}
        gateway = Gateway(Settings(**chosen))
        service = f"{_PACKAGE}.TestService"
        gateway.add_registered_method_handlers(service, described.handlers(service, BEHAVIOURS))
        async with gateway:
            target = ("-server_host=localhost", f"-server_port={gateway.grpc_port}", *_SOAK)
            trust = ("-use_tls", "-use_test_ca", f"-ca_file={authority.file}") if tls else ()
            for case in CASES:
                said = await _client(*target, *trust, f"-test_case={case}")
                if said is not None:
                    failed[f"interop/{port}-{'tls' if tls else 'plain'}/{case}"] = said
    return len(CASES), failed


async def _client(*arguments: str) -> str | None:
    """Returns None if the client succeeds, else its output."""
    process = await asyncio.create_subprocess_exec(
        tools.program(*tools.INTEROP), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return None if process.returncode == 0 else output.decode(errors="replace")


async def _echo_metadata(context: Context) -> None:
    for key, value in context.invocation_metadata() or ():
        if key == _INITIAL:
            await context.send_initial_metadata(((key, value),))
        elif key == _TRAILING:
            context.set_trailing_metadata(((key, value),))


async def _end_if_asked(request: Any, context: Context) -> None:
    asked = request.response_status
    if asked.code:
        code = next(code for code in grpc.StatusCode if code.value[0] == asked.code)
        await context.abort(code, asked.message)


def _payload(size: int) -> Any:
    return described.message(f"{_PACKAGE}.Payload", body=bytes(size))


async def _outputs(request: Any) -> AsyncIterator[Any]:
    for asked in request.response_parameters:
        await asyncio.sleep(asked.interval_us / 1e6)
        yield described.message(f"{_PACKAGE}.StreamingOutputCallResponse", payload=_payload(asked.size))


async def empty_call(request: Any, context: Context) -> Any:
    return request


async def unary_call(request: Any, context: Context) -> Any:
    await _echo_metadata(context)
    await _end_if_asked(request, context)
    return described.message(f"{_PACKAGE}.SimpleResponse", payload=_payload(request.response_size))


async def streaming_output_call(request: Any, context: Context) -> AsyncIterator[Any]:
    async for response in _outputs(request):
        yield response


async def streaming_input_call(requests: AsyncIterator[Any], context: Context) -> Any:
    size = sum([len(request.payload.body) async for request in requests])
    return described.message(f"{_PACKAGE}.StreamingInputCallResponse", aggregated_payload_size=size)


async def full_duplex_call(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
    await _echo_metadata(context)
    async for request in requests:
        await _end_if_asked(request, context)
        async for response in _outputs(request):
            yield response


BEHAVIOURS: dict[str, Any] = {
    "EmptyCall": empty_call,
    "UnaryCall": unary_call,
    "StreamingOutputCall": streaming_output_call,
    "StreamingInputCall": streaming_input_call,
    "FullDuplexCall": full_duplex_call,
}
"""UnimplementedCall has none, and UnimplementedService is not registered."""


def load() -> None:
    """Loads the service's descriptors."""
    described.load(tools.interop_descriptors(), _PACKAGE)
