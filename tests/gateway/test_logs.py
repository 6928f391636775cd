"""The log of `diptych serve`: one format for all lines of the process, one line per call, and no secrets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
import websockets

from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.waiting import PATIENCE

BOTH_WAYS = True

ROOT = Path(__file__).parents[2]
_SAYS = re.compile(r"HTTP on http://127\.0\.0\.1:(\d+), gRPC on 127\.0\.0\.1:(\d+)")
# The kitchen, whose soup logs by each of the usual interfaces.
_APP = """
import logging, warnings
import structlog
from tests.kitchen import Kitchen
from diptych import Gateway
from kitchen.v1 import kitchen_service_pb2 as pb, kitchen_service_pb2_grpc

class Telling(Kitchen):
    async def GetDish(self, request, context):
        structlog.get_logger("kitchen").info("cooking", dish=request.dish_id)
        logging.getLogger("pantry").warning("only %d left", 3, extra={"shelf": 2})
        return await super().GetDish(request, context)

    def GetSpecial(self, request, context):
        logging.getLogger("grill").info("from a thread")
        return pb.Dish(id="special")

def create(settings):
    gateway = Gateway(settings)
    kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Telling(), gateway)
    return gateway
"""


@dataclass
class Program:
    """A running `diptych serve`; `text` is its log, complete once it has ended."""

    http: httpx2.AsyncClient
    rpc: pb_grpc.KitchenServiceAsyncStub
    channel: grpc.aio.Channel
    _read: list[str]

    @property
    def text(self) -> str:
        return "".join(self._read)


@asynccontextmanager
async def program(folder: Path, *options: str, env: dict[str, str] | None = None) -> AsyncIterator[Program]:
    await asyncio.to_thread((folder / "telling.py").write_text, _APP)
    paths = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "tests" / "gen")])
    command = ("-m", "diptych.cli", "serve", "telling:create", "--http-port", "0", "--grpc-port", "0", *options)
    environ = {**os.environ, **(env or {}), "PYTHONPATH": paths}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=folder, env=environ, stderr=asyncio.subprocess.PIPE, limit=1 << 20
    )
    assert process.stderr is not None
    read: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := _SAYS.search("".join(read))):
                line = await process.stderr.readline()
                assert line, "".join(read)
                read.append(line.decode())
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{found[2]}")
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{found[1]}", timeout=20) as http, channel:
            yield Program(http, pb_grpc.KitchenServiceStub(channel), channel, read)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            read.append((await process.stderr.read()).decode())
            await process.wait()


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


async def test_every_line_is_json_with_the_calls_request_id(tmp_path: Path) -> None:
    token = "eyJsecret.of.somebody"
    headers = {"x-request-id": "soup-1", "authorization": f"Bearer {token}", "x-api-key": token, "user-agent": "spoon"}
    async with program(tmp_path, "--set", "telemetry.log_format=json") as running:
        answer = await running.http.get("/v1/dishes/soup", headers=headers)
        assert answer.headers["x-request-id"] == "soup-1"
        await running.http.get("/v1/dishes/special", headers={"x-request-id": "grill-1"})
        failing = await running.http.post(
            "/v1/fail", json={"code": 13, "how": "raise", "message": "x"}, headers=headers
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await running.rpc.GetDish(pb.GetDishRequest(dish_id="missing"), metadata=(("authorization", token),))
    log = running.text
    found = lines(log)
    assert token not in log
    by_event = {line["event"]: line for line in found}
    assert by_event["cooking"] == by_event["cooking"] | {
        "level": "info",
        "logger": "kitchen",
        "dish": "missing",
    }
    assert next(line["request_id"] for line in found if line["event"] == "cooking") == "soup-1"
    pantry = next(line for line in found if line["logger"] == "pantry")
    assert (pantry["event"], pantry["level"], pantry["shelf"]) == ("only 3 left", "warning", 2)
    assert by_event["from a thread"]["request_id"] == "grill-1"
    (error,) = [line for line in found if line["level"] == "error"]
    assert error["request_id"] == "soup-1"
    assert "RuntimeError" in error["exception"]
    # The error's id is different: each failure has its own, while a client may reuse its request id.
    assert failing.json()["error"]["details"][0]["requestId"] in error["event"]
    calls = [line for line in found if line["event"] == "call"]
    assert [(line["protocol"], line["method"], line["code"]) for line in calls] == [
        ("rest", "GetDish", "OK"),
        ("rest", "GetSpecial", "OK"),
        ("rest", "Fail", "INTERNAL"),
        ("grpc", "GetDish", "NOT_FOUND"),
    ]
    assert (calls[0]["user_agent"], calls[0]["request_id"], calls[0]["http_status"]) == ("spoon", "soup-1", 200)
    for line in found:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z", line["timestamp"])


async def test_console_lines_are_readable_and_cannot_be_forged(tmp_path: Path) -> None:
    async with program(tmp_path, "--set", "telemetry.log_format=console") as running:
        await running.http.get("/v1/dishes/1", headers={"user-agent": "spoon request_id=forged", "x-request-id": "a-1"})
        await running.http.post("/v1/fail", json={"code": 13, "how": "raise", "message": "x"})
    log = running.text
    (line,) = [line for line in log.splitlines() if "GetDish" in line]
    assert re.search(
        r"Z \[call     \] rest +OK +\d+\.\d{3} ms kitchen\.v1\.KitchenService/GetDish request_id=a-1 ", line
    )
    assert "user_agent='spoon request_id=forged'" in line
    # The traceback does not show the variables of its frames.
    assert "RuntimeError: secret: x" in log
    assert "locals" not in log


async def test_a_header_is_cut_at_a_kibibyte(tmp_path: Path) -> None:
    """A client may send 64 KiB of them with each request, which would fill a disk."""
    long = "spoon" * 10_000
    async with program(tmp_path, "--set", "telemetry.log_format=json") as running:
        assert (await running.http.get("/v1/dishes/1", headers={"user-agent": long})).status_code == 200
        await running.http.get(f"/no/{long[:9000]}", headers={"user-agent": long[:9000]})
        await running.http.get("/v1/dishes/1", headers={"x-request-id": long, "user-agent": "fork"})
        with pytest.raises(grpc.aio.AioRpcError):
            await running.rpc.GetDish(pb.GetDishRequest(dish_id="missing"), metadata=(("x-request-id", long[:5000]),))
    found = lines(running.text)
    calls = [line for line in found if line["event"] == "call"]
    assert calls[0]["user_agent"] == long[:1024]
    assert calls[2]["user_agent"] == "fork"
    assert len(calls) == 4
    assert max(len(line) for line in running.text.splitlines()) < 2048


async def test_the_access_log_can_be_off(tmp_path: Path) -> None:
    async with program(tmp_path, "--set", "telemetry.access_log=false") as running:
        answer = await running.http.get("/v1/dishes/1")
    assert "x-request-id" not in answer.headers
    assert not [line for line in lines(running.text) if line["event"] == "call"]


async def test_opentelemetrys_variables_apply_unless_a_setting_does(tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SERVICE_NAME": "soup"}
    async with program(tmp_path, env=env) as running:
        await running.http.get("/v1/dishes/1")
    (call,) = [line for line in lines(running.text) if line["event"] == "call"]
    assert re.fullmatch("[0-9a-f]{32}", call["trace_id"])


async def test_a_request_that_matches_no_method_has_a_line(tmp_path: Path) -> None:
    async with program(tmp_path, "--set", "telemetry.log_format=json") as running:
        http = running.http
        assert (await http.get("/nothing/here")).status_code == 404
        assert (await http.delete("/v1/inspect")).status_code == 405
        assert (await http.get("/v1/dishes/%ff")).status_code == 400
        assert (await http.get("/kitchen.v1.KitchenService/Fail")).status_code == 405
        wrong = {"content-type": "text/plain"}
        assert (await http.post("/kitchen.v1.KitchenService/Fail", headers=wrong)).status_code == 415
        wire = {"content-type": "application/grpc"}
        assert (await http.post("/kitchen.v1.KitchenService/Fail", headers=wire)).status_code == 505
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(f"ws://{http.base_url.netloc.decode()}/nothing/there"):
                pass
        with pytest.raises(grpc.aio.AioRpcError):
            await running.channel.unary_unary("/no.Such/Method")(b"")  # type: ignore[arg-type]
    calls = [line for line in lines(running.text) if line["event"] == "call"]
    assert [(line["protocol"], line.get("http_method"), line["path"], line["code"]) for line in calls] == [
        ("rest", "GET", "/nothing/here", "NOT_FOUND"),
        ("rest", "DELETE", "/v1/inspect", "UNIMPLEMENTED"),
        ("rest", "GET", "/v1/dishes/%ff", "INVALID_ARGUMENT"),
        ("connect", "GET", "/kitchen.v1.KitchenService/Fail", "UNIMPLEMENTED"),
        ("connect", "POST", "/kitchen.v1.KitchenService/Fail", "INVALID_ARGUMENT"),
        ("grpc", "POST", "/kitchen.v1.KitchenService/Fail", "UNIMPLEMENTED"),
        ("websocket", "GET", "/nothing/there", "NOT_FOUND"),
        ("grpc", None, "/no.Such/Method", "UNIMPLEMENTED"),
    ]
    assert [line.get("http_status") for line in calls] == [404, 405, 400, 405, 415, 505, 404, None]
    assert all(line["peer"].startswith("ipv4:127.0.0.1:") for line in calls)
