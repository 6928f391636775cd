"""Makes the notes service from its settings, and a gateway that serves it."""

from __future__ import annotations

from pathlib import Path

import grpc
from example.notes.v1 import notes_service_pb2_grpc as rpc

from artificer_services.kit.composition import gateway_of
from artificer_services.kit.errors import Unavailable
from artificer_services.kit.lifecycle import Service
from artificer_services.kit.settings import service_settings
from artificer_services.kit.storage import Migrations
from artificer_services.kit.storage.database import Database
from diptych import Gateway, Settings

from .engine import Notes
from .servicer import NotesServicer
from .settings import NotesSettings
from .sql_store import SqlStore

MIGRATIONS = Migrations(
    folder=Path(__file__).with_name("migrations"), table="notes_alembic_version", head="0001", lock=4_277_320_900
)


class NotesService(Service):
    """The servicer and everything behind it."""

    name = "notes"
    grpc_name = "example.notes.v1.NotesService"

    def __init__(self, settings: NotesSettings) -> None:
        file = Path(settings.data_dir, "notes.sqlite3")
        self.database = Database("the store of notes", MIGRATIONS, file=file, url=settings.database_url)
        self.notes = Notes(SqlStore(self.database), settings)

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        rpc.add_NotesServiceServicer_to_server(NotesServicer(self.notes), server)

    async def start(self) -> None:
        """Bring the database up to date; a server that is down is tried again in the background."""
        await self.database.open()

    async def stop(self) -> None:
        """Close the database."""
        await self.database.close()

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            await self.notes.ping()
        except Unavailable:
            return False
        return True


def create(settings: Settings) -> Gateway:
    """Return the gateway; `diptych serve notes.build:create` runs it."""
    return gateway_of(settings, [NotesService(service_settings(settings, "notes", NotesSettings))])
