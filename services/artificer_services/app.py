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

from .ai.build import AiService, AiSettings
from .asset_jobs import BatchBlobs, IndexJobs
from .batch.build import BatchService, BatchSettings
from .chat.build import ChatService, ChatSettings
from .convert.build import ConvertService, ConvertSettings
from .image.build import ImageService, ImageSettings
from .kit.composition import gateway_of
from .kit.lifecycle import Service
from .kit.settings import InvalidSetting, check_names, service_settings
from .kit.task_tables import with_services
from .ocr.build import OcrService, OcrSettings
from .readers import readers_of

logger = logging.getLogger("artificer")

S = TypeVar("S", OcrSettings, ConvertSettings, ImageSettings, BatchSettings)
C = TypeVar("C")
M = TypeVar("M", bound=Service)


def create(settings: Settings) -> Gateway:
    """Returns the gateway with all services. Raises `SettingError` for invalid settings of a service."""
    check_names(settings, ("ai", "batch", "chat", "convert", "image", "ocr"))
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
    batch = replace(batch, tasks=with_services(batch.tasks, settings.services))
    reporting = partial(BatchService, telemetry=settings.telemetry)
    convert = _divided(service_settings(settings, "convert", ConvertSettings), settings.workers)
    image = _divided(service_settings(settings, "image", ImageSettings), settings.workers)
    ai = service_settings(settings, "ai", AiSettings)
    if settings.workers > 1 and (local := [name for name, one in ai.chat_models.items() if one.kind == "local"]):
        logger.info("each of %d workers loads the local models that it uses: %s", settings.workers, ", ".join(local))
    if batch.engine == "celery" and not ai.database_url:
        logger.warning(
            "services.batch.engine = celery without services.ai.database_url: collections are in a file, and rag.index"
            " fills those of the worker's machine"
        )
    made_ocr, made_convert = _made("ocr", OcrService, ocr), _made("convert", ConvertService, convert)
    made_batch = _made("batch", reporting, batch)
    assisting = partial(
        AiService,
        readers=readers_of(made_ocr.reader, made_convert.converter),
        blobs=BatchBlobs(made_batch.jobs),
        jobs=IndexJobs(made_batch.jobs),
    )
    services: list[Service] = [
        made_ocr,
        made_convert,
        _made("image", ImageService, image),
        _made("chat", ChatService, chat),
        _made("ai", assisting, ai),
        made_batch,
    ]
    return gateway_of(settings, services)


def _made(name: str, kind: Callable[[C], M], settings: C) -> M:
    """Returns a service. Raises `SettingError` if it cannot be made of its settings."""
    try:
        return kind(settings)
    except SettingError:
        raise
    except InvalidSetting as error:
        raise SettingError(Fault(f"services.{name}.{error.setting}", str(error))) from error
    except ValueError as error:
        setting, colon, text = str(error).partition(": ")
        named = colon and setting.startswith(f"services.{name}.")
        raise SettingError(Fault(setting, text) if named else Fault(f"services.{name}", str(error))) from error


def _divided(service: S, processes: int) -> S:
    """Returns the settings for one of several gateway processes, which share the machine's worker processes."""
    return service if processes == 1 else replace(service, workers=max(1, service.worker_count // processes))
