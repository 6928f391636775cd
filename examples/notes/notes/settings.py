"""The settings of the notes service: the table `services.notes`, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from artificer_services.kit.settings import check_database, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesSettings:
    """Where notes are kept and how long they may be. Raises ValueError for values that cannot work."""

    data_dir: str = "notes-data"  # holds notes.sqlite3
    database_url: str = ""  # postgresql://user:password@host/name; empty means SQLite in data_dir
    max_text_bytes: int = 4096  # of one note

    def __post_init__(self) -> None:
        check_positive(self, "max_text_bytes")
        check_database(self.database_url, self.data_dir)
