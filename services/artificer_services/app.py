"""The one composition root: makes the gateway that `make serve` runs, with every service behind it.

It knows every service's `build`, and nothing of how a service works.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from artificer.chat.v1 import message_service_pb2_grpc
from artificer.ocr.v1 import ocr_service_pb2_grpc
from diptych import Gateway, ServiceCheck, Settings

from .chat.build import ChatService, ChatSettings
from .ocr.build import OcrService, OcrSettings
from .ocr.metrics import PoolMetrics

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    S = TypeVar("S", bound=DataclassInstance)

logger = logging.getLogger("artificer")

# Base64 makes a document a third larger, and the other fields want room too.
_BASE64_AND_ROOM = 1.5
_OCR_METHODS = ("ExtractTextFromImage", "ProcessPDF", "ProcessPDFStream", "CheckPDFNeedsOCR")


def create(settings: Settings) -> Gateway:
    """The gateway with all services. Raises ValueError for a service's settings that cannot work."""
    ocr_settings = _divided(_table(settings, "ocr", OcrSettings), settings.workers)
    ocr, chat = OcrService(ocr_settings), ChatService(_table(settings, "chat", ChatSettings))

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
            for service in (ocr, chat):
                await stack.enter_async_context(service.lifespan(app))
            yield

    gateway = Gateway(
        _with_limits(settings, ocr_settings),
        lifespan=lifespan,
        readiness={
            "ocr": ServiceCheck(ocr.ready, ("artificer.ocr.v1.OCRService",)),
            "chat": ServiceCheck(chat.ready, ("artificer.chat.v1.MessageService",)),
        },
        on_stop=[chat.part],
        collectors=[PoolMetrics(ocr.pool), *chat.collectors],
    )
    ocr_service_pb2_grpc.add_OCRServiceServicer_to_server(ocr.servicer, gateway)
    message_service_pb2_grpc.add_MessageServiceServicer_to_server(chat.servicer, gateway)
    chat.add_page(gateway.app)
    return gateway


def _divided(ocr: OcrSettings, processes: int) -> OcrSettings:
    """The part of the OCR workers that each of several gateway processes has: they are counted for the machine."""
    return ocr if processes == 1 else replace(ocr, workers=max(1, ocr.worker_count // processes))


def _with_limits(settings: Settings, ocr: OcrSettings) -> Settings:
    limit = int(ocr.max_document_bytes * _BASE64_AND_ROOM)
    limits = {f"/artificer.ocr.v1.OCRService/{name}": limit for name in _OCR_METHODS}
    return settings.model_copy(update={"method_max_body_bytes": {**limits, **settings.method_max_body_bytes}})


def _table(settings: Settings, name: str, kind: type[S]) -> S:
    """A service's own settings."""
    table = settings.services.get(name, {})
    unknown = table.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"services.{name} has no setting {', '.join(sorted(unknown))}")
    try:
        # Environment variables are text; the adapter makes numbers of them.
        return TypeAdapter(kind).validate_python(dict(table))
    except ValidationError as error:
        faults = [(".".join(("services", name, *map(str, fault["loc"]))), fault["msg"]) for fault in error.errors()]
        raise ValueError("; ".join(f"{place}: {text}" for place, text in faults)) from None
