"""The composition root: makes the gateway that `make serve` runs, with every service behind it.

Knows each service's `build`, and not how a service works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from diptych import Gateway, Settings
from diptych.settings.errors import Fault, SettingError

from .batch.build import BatchService, BatchSettings
from .chat.build import ChatService, ChatSettings
from .kit.composition import gateway_of
from .kit.lifecycle import Service
from .kit.settings import check_names, service_settings
from .ocr.build import OcrService, OcrSettings

logger = logging.getLogger("artificer")

S = TypeVar("S", OcrSettings, BatchSettings)
C = TypeVar("C")


def create(settings: Settings) -> Gateway:
    """Returns the gateway with all services. Raises `SettingError` for invalid settings of a service."""
    check_names(settings, ("batch", "chat", "ocr"))
    chat = service_settings(settings, "chat", ChatSettings)
    if settings.workers > 1 and chat.broker_kind == "memory":
        logger.info(
            "with %d workers and services.chat.broker = memory, live messages of other workers arrive up to %g s late;"
            " set services.chat.database_url, or broker = redis with a redis_url",
            settings.workers,
            chat.sweep_seconds,
        )
    ocr = _divided(service_settings(settings, "ocr", OcrSettings), settings.workers)
    batch = _divided(service_settings(settings, "batch", BatchSettings), settings.workers)
    reporting = partial(BatchService, telemetry=settings.telemetry)
    services = [_made("ocr", OcrService, ocr), _made("chat", ChatService, chat), _made("batch", reporting, batch)]
    return gateway_of(settings, services)


def _made(name: str, kind: Callable[[C], Service], settings: C) -> Service:
    """Returns a service. Raises `SettingError` if it cannot be made of its settings."""
    try:
        return kind(settings)
    except SettingError:
        raise
    except ValueError as error:
        setting, colon, text = str(error).partition(": ")
        named = colon and setting.startswith(f"services.{name}.")
        raise SettingError(Fault(setting, text) if named else Fault(f"services.{name}", str(error))) from error


def _divided(service: S, processes: int) -> S:
    """Returns the settings for one of several gateway processes, which share the machine's worker processes."""
    return service if processes == 1 else replace(service, workers=max(1, service.worker_count // processes))
