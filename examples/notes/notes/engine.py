"""What can be done with notes. Knows neither gRPC nor protos, and no database: it works on a `Store`."""

from __future__ import annotations

from artificer_services.kit.errors import Fault, Invalid, NotFound
from artificer_services.kit.paging import number_of, page_size, size_faults, token_of

from .settings import NotesSettings
from .store import Note, Store

DEFAULT_PAGE = 50


class Notes:
    """The notes of a store, within the limits of the settings."""

    def __init__(self, store: Store, settings: NotesSettings) -> None:
        self._store, self._settings = store, settings

    async def create(self, text: str) -> Note:
        """Store a note. Raises Invalid."""
        size, limit = len(text.encode()), self._settings.max_text_bytes
        if not text.strip():
            raise Invalid(Fault("text", "must not be empty"))
        if size > limit:
            raise Invalid(Fault("text", f"is {size} bytes long; at most {limit} are allowed"))
        return await self._store.add(text)

    async def get(self, id_: int) -> Note:
        """Return one note. Raises NotFound."""
        note = await self._store.get(id_)
        if note is None:
            raise NotFound(f"there is no note {id_}")
        return note

    async def page(self, size: int, token: str) -> tuple[list[Note], str]:
        """Return a page of notes and the token of the next one. Raises Invalid."""
        if faults := size_faults(size):
            raise Invalid(*faults)
        limit, after = page_size(size, DEFAULT_PAGE), number_of(token, "notes") if token else 0
        found = await self._store.list(after=after, limit=limit + 1)
        if len(found) <= limit:
            return found, ""
        return found[:limit], token_of(str(found[limit - 1].id), "notes")

    async def ping(self) -> None:
        """Return where the store answers; raises Unavailable."""
        await self._store.ping()
