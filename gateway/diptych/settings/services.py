"""The tables of services' own settings, which the library passes on and does not understand.

It knows no service; which tables an application reads is seen when it reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import SettingError, unknown


class ServiceTables(dict[str, Mapping[str, Any]]):
    """Tables by name of service. Records the names that are looked up, so that a misspelt table is noticed."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(tables)
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        self._read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Returns the table of that name, or the default."""
        self._read.add(name)
        return super().get(name, default)

    def items(self) -> Any:
        """Returns all tables, which counts as reading each of them."""
        self._read.update(self)
        return super().items()

    def check_read(self) -> None:
        """Raises `SettingError` for the tables that nothing has looked up."""
        if unread := sorted(self.keys() - self._read):
            raise SettingError(*(unknown(f"services.{name}", self._read) for name in unread))
