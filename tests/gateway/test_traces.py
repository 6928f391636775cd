"""Traces: one server span per call on every face, exported to a real OTLP receiver over gRPC and HTTP."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.trace import get_current_span

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen
from tests.parity.faces import each
from tests.parity.registry import FACES

BOTH_WAYS = True

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID, PARENT_ID = bytes.fromhex(PARENT.split("-")[1]), bytes.fromhex(PARENT.split("-")[2])


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OpenTelemetry collector that keeps what it receives."""

    def __init__(self) -> None:
        self.requests: list[trace_service_pb2.ExportTraceServiceRequest] = []

    async def Export(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Span]:
        return [
            span for request in self.requests for one in request.resource_spans for scope in one.scope_spans
            for span in scope.spans
        ]  # fmt: skip


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    """A receiver over gRPC."""
    server, collector = grpc.aio.server(), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        await server.stop(None)


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value") for one in span.attributes}


class Calling(Kitchen):
    """Keeps the current span, as an outgoing client's interceptor would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.current: list[int] = []

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        await asyncio.sleep(0)
        self.current.append(get_current_span().get_span_context().span_id)
        return await super().GetDish(request, context)

    def GetSpecial(self, request: Any, context: Any) -> pb.Dish:
        self.current.append(get_current_span().get_span_context().span_id)
        return super().GetSpecial(request, context)


def traced(endpoint: str, **more: Any) -> dict[str, Any]:
    return {"telemetry": {"otlp_endpoint": endpoint, "service_name": "kitchen", **more}}


@every_engine
async def test_a_call_over_grpc_is_a_span_of_its_callers_trace(serve: Serve) -> None:
    kitchen = Calling()
    async with collecting() as (collector, endpoint), serve(kitchen, **traced(endpoint)) as served:
        port = served.gateway.grpc_port
        await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"), metadata=(("traceparent", PARENT),))
        async for _ in served.rpc.Tick(pb.TickRequest(count=2), metadata=(("traceparent", PARENT),)):
            pass
    unary, stream = sorted(collector.spans, key=lambda span: span.name)
    assert (unary.name, stream.name) == ("kitchen.v1.KitchenService/GetDish", "kitchen.v1.KitchenService/Tick")
    for span in (unary, stream):
        assert (span.trace_id, span.parent_span_id, span.kind) == (TRACE_ID, PARENT_ID, Span.SPAN_KIND_SERVER)
        said = attributes(span)
        assert {name: said[name] for name in ("rpc.system", "rpc.service", "rpc.grpc.status_code", "server.port")} == {
            "rpc.system": "grpc",
            "rpc.service": "kitchen.v1.KitchenService",
            "rpc.grpc.status_code": 0,
            "server.port": port,
        }
        assert said["client.address"] == "127.0.0.1"
    assert kitchen.current == [int.from_bytes(unary.span_id, "big")]
    (resource,) = {one.resource.SerializeToString() for request in collector.requests for one in request.resource_spans}
    assert b"kitchen" in resource


async def test_a_call_over_rest_is_named_by_its_route(serve: Serve) -> None:
    kitchen = Calling()
    async with collecting() as (collector, endpoint), serve(kitchen, **traced(endpoint)) as served:
        await served.http.get("/v1/dishes/7", headers={"traceparent": PARENT})
        await served.http.get("/v1/dishes/special", headers={"traceparent": PARENT})
        await served.http.get("/v1/dishes/missing")
        await served.http.post("/v1/fail", json={"code": 13, "how": "raise", "message": "burnt"})
    one, special, missing, failed = collector.spans
    assert one.name == "GET /v1/dishes/{dish_id}"
    assert (one.trace_id, one.parent_span_id) == (TRACE_ID, PARENT_ID)
    assert attributes(one) | {
        "http.request.method": "GET",
        "http.route": "/v1/dishes/{dish_id}",
        "http.response.status_code": 200,
        "rpc.method": "GetDish",
    } == attributes(one)
    # The current span is the call's in a coroutine, and in the thread of a plain function.
    assert kitchen.current[:2] == [int.from_bytes(span.span_id, "big") for span in (one, special)]
    assert missing.trace_id != TRACE_ID
    assert missing.status.code == Status.STATUS_CODE_UNSET  # the caller's fault, not the server's
    assert attributes(missing)["http.response.status_code"] == 404
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert attributes(failed)["error.type"] == "INTERNAL"
    (event,) = failed.events
    assert (event.name, event.attributes[0].value.string_value) == ("exception", "RuntimeError")


@pytest.mark.parametrize(
    ("name", "system"), [("grpc-web-h1", "grpc"), ("connect-proto-h1", "connect_rpc"), ("websocket-json", "grpc")]
)
async def test_every_other_face_continues_the_callers_trace(serve: Serve, name: str, system: str) -> None:
    async with collecting() as (collector, endpoint), serve(**traced(endpoint)) as served:
        face = FACES[name].make(served, None)
        await face.call("Tick", each(pb.TickRequest(count=1)), metadata=[("traceparent", PARENT)])
    (span,) = collector.spans
    assert (span.name, span.trace_id) == ("kitchen.v1.KitchenService/Tick", TRACE_ID)
    assert attributes(span)["rpc.system"] == system


async def test_sampling_follows_the_caller_or_else_the_ratio(serve: Serve) -> None:
    async with collecting() as (collector, endpoint), serve(**traced(endpoint, trace_ratio=0.0)) as served:
        await served.http.get("/v1/dishes/1")
        await served.http.get("/v1/dishes/2", headers={"traceparent": PARENT})
        await served.http.get("/v1/dishes/3", headers={"traceparent": PARENT[:-2] + "00"})
    (span,) = collector.spans
    assert span.trace_id == TRACE_ID


async def test_traces_can_be_exported_over_http(serve: Serve) -> None:
    taken: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=receiver.serve_forever)
    thread.start()
    try:
        endpoint = f"http://127.0.0.1:{receiver.server_port}"
        async with serve(**traced(endpoint, otlp_protocol="http/protobuf")) as served:
            await served.http.get("/v1/dishes/1")
    finally:
        await asyncio.to_thread(receiver.shutdown)
        thread.join()
        receiver.server_close()
    ((path, body),) = taken
    assert path == "/v1/traces"
    assert re.search(rb"GET /v1/dishes/", body)


def test_opentelemetry_is_not_imported_without_traces() -> None:
    program = (
        "import sys, diptych; diptych.Gateway(); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "[]"
