"""The metrics of the collections' database."""

from __future__ import annotations

from artificer_services.ai.library.build import library_of
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.models.catalog import Models
from tests.waiting import until_here

from .conftest import MODELS, Place


async def test_the_size_and_the_breaker_of_the_database(place: Place) -> None:
    library = library_of(LibrarySettings(), Models(MODELS), data_dir=place.data_dir, database_url=place.database_url)
    kind = "postgresql" if place.database_url else "sqlite"

    def series() -> set[tuple[str, ...]]:
        return {
            (sample.name, *sample.labels.values())
            for collector in library.collectors
            for family in collector.collect()
            for sample in family.samples
        }

    await library.start()
    try:
        await until_here(lambda: ("artificer_store_bytes", "rag", kind) in series())
        assert (("diptych_upstream_open", "rag") in series()) is bool(place.database_url)
    finally:
        await library.stop()
