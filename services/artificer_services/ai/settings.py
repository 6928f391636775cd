"""The settings of the AI services: those of the models, and a table for each of the other rooms.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..kit.settings import check_database
from .conversations.settings import ConversationSettings
from .library.settings import LibrarySettings
from .models.settings import ModelsSettings
from .reading.settings import ReadingSettings


@dataclass(frozen=True, kw_only=True)
class AiSettings(ModelsSettings):
    """Models, storage and limits of the AI services. Raises ValueError for invalid values."""

    data_dir: str = "artificer-data"  # relative to the working directory, created if missing
    database_url: str = ""  # postgresql://user:password@host/name; empty means SQLite in data_dir
    library: LibrarySettings = field(default_factory=LibrarySettings)  # a table of its own
    reading: ReadingSettings = field(default_factory=ReadingSettings)  # a table of its own
    conversations: ConversationSettings = field(default_factory=ConversationSettings)  # a table of its own

    page: bool = True  # serve the page at /assistant

    def __post_init__(self) -> None:
        ModelsSettings.__post_init__(self)
        check_database(self.database_url, self.data_dir)
