"""The OCR workers as metrics, while pages are read and after."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from artificer_services.ocr.build import OcrService, OcrSettings
from artificer_services.ocr.engine import Choices

from . import samples
from .conftest import serve

LONG = samples.scan_pdf(*(samples.page_text(number) for number in range(1, 5)))


def values(service: OcrService) -> dict[str, float]:
    return {
        ".".join([sample.name.removeprefix("artificer_ocr_"), *sample.labels.values()]): sample.value
        for family in service.collectors[0].collect()
        for sample in family.samples
    }


async def test_busy_workers_and_waiting_pages_are_counted() -> None:
    async with serve(OcrSettings(workers=1)) as (service, _):
        assert values(service) == {"workers.busy": 0, "workers.idle": 1, "workers.missing": 0, "queue_depth": 0}
        seen: list[dict[str, float]] = []

        async def read() -> None:
            async with aclosing(service.reader.pages(LONG, Choices())) as pages:
                async for _ in pages:
                    seen.append(values(service))

        await asyncio.gather(read(), read())
        assert {"workers.busy": 1.0, "workers.idle": 0.0, "workers.missing": 0.0}.items() <= seen[0].items()
        assert max(one["queue_depth"] for one in seen) > 0
        assert values(service) == {"workers.busy": 0, "workers.idle": 1, "workers.missing": 0, "queue_depth": 0}
    assert values(service)["workers.missing"] == 1
