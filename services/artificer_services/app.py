"""The one composition root: makes the gateway that `make serve` runs, with every service behind it.

It knows every service's `build`, and nothing of how a service works.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from artificer.batch.v1 import batch_service_pb2_grpc
from artificer.chat.v1 import message_service_pb2_grpc
from artificer.ocr.v1 import ocr_service_pb2_grpc
from diptych import Gateway, ServiceCheck, Settings

from .batch.build import BatchService, BatchSettings
from .chat.build import ChatService, ChatSettings
from .kit.settings import check_names, table
from .ocr.build import OcrService, OcrSettings
from .ocr.metrics import PoolMetrics

logger = logging.getLogger("artificer")

S = TypeVar("S", OcrSettings, BatchSettings)

# Base64 makes a document a third larger, and the other fields want room too.
_BASE64_AND_ROOM = 1.5
_OCR_METHODS = ("ExtractTextFromImage", "ProcessPDF", "ProcessPDFStream", "CheckPDFNeedsOCR")


def create(settings: Settings) -> Gateway:
    """The gateway with all services. Raises `SettingError` for a service's settings that cannot work."""
    check_names(settings, ("batch", "chat", "ocr"))
    ocr_settings = _divided(table(settings, "ocr", OcrSettings), settings.workers)
    ocr, chat = OcrService(ocr_settings), ChatService(table(settings, "chat", ChatSettings))
    batch = BatchService(_divided(table(settings, "batch", BatchSettings), settings.workers))

    if settings.workers > 1 and chat.settings.broker_kind == "memory":
        logger.warning(
            "with %d workers and broker = memory, live messages from other workers come up to %g s late:"
            " set services.chat.database_url, or broker = redis with a redis_url",
            settings.workers,
            chat.settings.sweep_seconds,
        )

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service in (ocr, chat, batch):
                await stack.enter_async_context(service.lifespan(app))
            yield

    gateway = Gateway(
        _with_limits(settings, {**_ocr_limits(ocr_settings), **batch.body_limits}),
        lifespan=lifespan,
        readiness={
            "ocr": ServiceCheck(ocr.ready, ("artificer.ocr.v1.OCRService",)),
            "chat": ServiceCheck(chat.ready, ("artificer.chat.v1.MessageService",)),
            "batch": ServiceCheck(batch.ready, ("artificer.batch.v1.BatchService",)),
        },
        on_stop=[chat.part, batch.part],
        collectors=[PoolMetrics(ocr.pool), *chat.collectors, batch.metrics],
    )
    ocr_service_pb2_grpc.add_OCRServiceServicer_to_server(ocr.servicer, gateway)
    message_service_pb2_grpc.add_MessageServiceServicer_to_server(chat.servicer, gateway)
    batch_service_pb2_grpc.add_BatchServiceServicer_to_server(batch.servicer, gateway)
    chat.add_page(gateway.app)
    batch.add_page(gateway.app)
    return gateway


def _divided(service: S, processes: int) -> S:
    """The part of a service's worker processes that each of several gateways has: they are counted for the machine."""
    return service if processes == 1 else replace(service, workers=max(1, service.worker_count // processes))


def _ocr_limits(ocr: OcrSettings) -> dict[str, int]:
    limit = int(ocr.max_document_bytes * _BASE64_AND_ROOM)
    return {f"/artificer.ocr.v1.OCRService/{name}": limit for name in _OCR_METHODS}


def _with_limits(settings: Settings, limits: Mapping[str, int]) -> Settings:
    return settings.model_copy(update={"method_max_body_bytes": {**limits, **settings.method_max_body_bytes}})
