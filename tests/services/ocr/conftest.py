"""The OCR service as its clients meet it: real engines, real workers, a grpc.aio server on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest_asyncio

from artificer.ocr.v1 import ocr_service_pb2_grpc as rpc
from artificer_services.ocr.build import OcrService, OcrSettings, build

_SIZES = [("grpc.max_receive_message_length", 80 * 1024 * 1024), ("grpc.max_send_message_length", 80 * 1024 * 1024)]


@asynccontextmanager
async def serve(settings: OcrSettings) -> AsyncIterator[tuple[OcrService, rpc.OCRServiceAsyncStub]]:
    """A running service and a client of it."""
    service = build(settings)
    server = grpc.aio.server(options=_SIZES)
    rpc.add_OCRServiceServicer_to_server(service.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    async with service.lifespan():
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_SIZES) as channel:
                yield service, rpc.OCRServiceStub(channel)
        finally:
            await server.stop(None)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stub() -> AsyncIterator[rpc.OCRServiceAsyncStub]:
    """A client of a service with small limits and a price, shared by the tests that leave it as it was."""
    settings = OcrSettings(
        workers=2, max_pages=20, max_page_pixels=20_000_000, max_document_bytes=65 * 1024 * 1024, cost_per_page=0.25
    )
    async with serve(settings) as (_, client):
        yield client
