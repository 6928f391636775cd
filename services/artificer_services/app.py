"""The one composition root: makes the gateway that `make serve` runs, with every service behind it.

It knows every service's `build`, and nothing of how a service works.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TypeVar

from diptych import Gateway, Settings

from .batch.build import BatchService, BatchSettings
from .chat.build import ChatService, ChatSettings
from .kit.composition import gateway_of
from .kit.settings import check_names, service_settings
from .ocr.build import OcrService, OcrSettings

logger = logging.getLogger("artificer")

S = TypeVar("S", OcrSettings, BatchSettings)


def create(settings: Settings) -> Gateway:
    """Return the gateway with all services. Raises `SettingError` for a service's settings that cannot work."""
    check_names(settings, ("batch", "chat", "ocr"))
    chat = service_settings(settings, "chat", ChatSettings)
    if settings.workers > 1 and chat.broker_kind == "memory":
        logger.warning(
            "with %d workers and broker = memory, live messages from other workers arrive up to %g s late:"
            " set services.chat.database_url, or broker = redis with a redis_url",
            settings.workers,
            chat.sweep_seconds,
        )
    ocr = _divided(service_settings(settings, "ocr", OcrSettings), settings.workers)
    batch = _divided(service_settings(settings, "batch", BatchSettings), settings.workers)
    return gateway_of(settings, [OcrService(ocr), ChatService(chat), BatchService(batch)])


def _divided(service: S, processes: int) -> S:
    """Return the settings for one of several gateways: worker processes are counted for the machine."""
    return service if processes == 1 else replace(service, workers=max(1, service.worker_count // processes))
