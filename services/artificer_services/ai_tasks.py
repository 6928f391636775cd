"""Task types of batch jobs that need more than one service; entry points name this module.

Imports the services when the first item runs, since the gateway loads it to check jobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .ai.tasks.index import IndexTask
from .ai.tasks.settings import ai_settings, index_settings
from .kit.task_tables import table

if TYPE_CHECKING:
    from .ai.reading.values import Reader


def create_index(tasks: Mapping[str, Any]) -> IndexTask:
    """Returns rag.index, whose readers have the settings of ocr.extract and document.convert, and one process each.

    Raises ValueError for invalid settings.
    """
    from .convert.settings import ConvertSettings
    from .ocr.settings import OcrSettings

    ocr = table(tasks, "ocr.extract", OcrSettings, workers=1)
    convert = table(tasks, "document.convert", ConvertSettings, workers=1)

    @asynccontextmanager
    async def open_readers() -> AsyncIterator[Sequence[Reader]]:
        from .ai.reading.text_reader import TextReader
        from .convert.engine import Converter
        from .ocr.build import OcrService
        from .readers import readers_of

        service = OcrService(ocr)
        try:
            await service.start()
            yield (TextReader(), *readers_of(service.reader, Converter(convert)))
        finally:
            await service.stop()

    return IndexTask(index_settings(tasks), ai_settings(tasks), open_readers)
