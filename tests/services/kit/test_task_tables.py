"""The settings of task types: those of services that do their work, and their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from artificer_services.convert.settings import ConvertSettings
from artificer_services.kit.task_tables import table, with_services
from artificer_services.ocr.settings import OcrSettings

SERVICES: dict[str, Mapping[str, Any]] = {
    "ocr": {"pdf_engine": "pypdfium2", "languages": ["deu"], "dpi_cap": 150, "workers": 3},
    "convert": {"pandoc": "/opt/pandoc", "workers": 3},
}


@pytest.mark.parametrize(
    "own",
    [{"ocr.extract": {"dpi_cap": 300}}, {"ocr": {"extract": {"dpi_cap": 300}}}, {"ocr_extract": {"dpi_cap": "300"}}],
)
def test_a_task_has_the_settings_of_its_service_unless_it_has_its_own(own: Mapping[str, Any]) -> None:
    tasks = with_services(own, SERVICES)
    extract = table(tasks, "ocr.extract", OcrSettings, workers=1)
    assert (extract.pdf_engine, extract.languages, extract.dpi_cap, extract.workers) == ("pypdfium2", ("deu",), 300, 1)
    assert table(tasks, "ocr.searchable", OcrSettings, workers=1).dpi_cap == 150
    convert = table(tasks, "document.convert", ConvertSettings, workers=1)
    assert (convert.pandoc, convert.workers) == ("/opt/pandoc", 1)


def test_services_without_settings_change_nothing() -> None:
    assert with_services({"root": "/srv"}, {"chat": {"keep_days": 3}}) == {"root": "/srv"}
