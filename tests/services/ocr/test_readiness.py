"""OCR while no worker can be started: what callers and probes are told, and that it comes back by itself."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from PIL import Image

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer.ocr.v1 import ocr_service_pb2_grpc as rpc
from artificer_services.kit.composition import gateway_of
from artificer_services.ocr.build import OcrSettings, build
from artificer_services.ocr.recognition.languages import find_languages
from diptych import Settings

SERVICE = "artificer.ocr.v1.OCRService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_workers_go_away_and_come_back(tmp_path: Path) -> None:
    data = tmp_path / "tessdata"
    shutil.copytree(find_languages(()).folders[0][0], data)
    ocr = build(OcrSettings(workers=1, tessdata_dirs=(str(data),)))
    gateway = gateway_of(
        Settings.model_validate(
            {"http_port": 0, "grpc_port": 0, "readiness": {"keep_seconds": 0, "watch_seconds": 0.05}}
        ),
        [ocr],
    )
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))

        async def hears(wanted: int) -> None:
            async with asyncio.timeout(60):
                while (await watch.read()).status != wanted:
                    pass

        await hears(SERVING)
        data.rename(tmp_path / "gone")
        for worker in ocr.pool.workers:
            os.kill(worker.pid, signal.SIGKILL)
        await hears(NOT_SERVING)

        async def refused() -> Any:
            """What a caller is told once the pool has found that it cannot start any."""
            image = io.BytesIO()
            Image.new("L", (64, 64), 255).save(image, "PNG")
            stub = rpc.OCRServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as found:
                await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=image.getvalue()))
            return found.value

        failure = await refused()
        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in rpc_status.from_call(failure).details)
        assert retry.retry_delay.seconds > 0
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=30) as http:
            answer = await http.get("/readyz")  # other processes have workers of their own
            assert (answer.status_code, answer.json()["checks"]) == (503, {"ocr": "failed"})
            (tmp_path / "gone").rename(data)
            await hears(SERVING)
            assert (await http.get("/readyz")).status_code == 200
        watch.cancel()
        await gateway.stop(0)
