"""Reads a service's settings from the gateway's, and has the checks that all services share.

Knows no service. Importing it costs a worker process only the standard library.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic_core import ErrorDetails

    from diptych import Settings

    S = TypeVar("S", bound=DataclassInstance)

KIB = 1024
MIB = 1024 * KIB


def service_settings(settings: Settings, name: str, kind: type[S]) -> S:
    """Returns the settings of service `name`. Raises `SettingError` with every invalid or unknown setting."""
    return read_table(settings.services.get(name, {}), f"services.{name}", kind)


def read_table(values: Mapping[str, Any], place: str, kind: type[S]) -> S:
    """Returns the dataclass of settings in the table at `place`. Raises `SettingError` as `service_settings` does."""
    from pydantic import TypeAdapter, ValidationError

    from diptych.settings.errors import Fault, SettingError
    from diptych.settings.wording import described

    from .setting_tables import not_finite, place_of, unknown_names

    if strange := [*unknown_names(values, place, kind)]:
        raise SettingError(*strange)
    try:
        # Environment variables are text; the adapter converts them.
        read = TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        # Not `str(error)`: it repeats the values, which may be secrets.
        faults = [Fault(place_of(_names(fault), place, values), described(fault)) for fault in error.errors()]
        raise SettingError(*faults) from None
    if infinite := [*not_finite(read, place)]:
        raise SettingError(*infinite)
    return read


def _names(fault: ErrorDetails) -> tuple[str, ...]:
    """Returns the parts of the name of a faulty setting; the table's own check has it in its error."""
    raised = fault.get("ctx", {}).get("error")
    own = (raised.setting,) if isinstance(raised, InvalidSetting) else ()
    return (*map(str, fault["loc"]), *own)


class InvalidSetting(ValueError):
    """A setting that is not valid by itself or with the others. `setting` is its name in its table."""

    def __init__(self, setting: str, text: str) -> None:
        super().__init__(text)
        self.setting = setting


def check_names(settings: Settings, names: Collection[str]) -> None:
    """Raise `SettingError` for settings of a service that is not one of `names`."""
    from diptych.settings.errors import SettingError, unknown

    if strange := sorted(settings.services.keys() - set(names)):
        raise SettingError(*(unknown(f"services.{one}", names) for one in strange))


def check_positive(settings: object, *names: str) -> None:
    """Raise `InvalidSetting` for the first of these settings that is not positive."""
    for name in names:
        if getattr(settings, name) <= 0:
            raise InvalidSetting(name, f"{name} must be positive, not {getattr(settings, name)}")


def check_not_negative(settings: object, *names: str) -> None:
    """Raise `InvalidSetting` for the first of these settings that is negative."""
    for name in names:
        if getattr(settings, name) < 0:
            raise InvalidSetting(name, f"{name} must not be negative, but is {getattr(settings, name)}")


def check_choice(settings: object, name: str, *choices: str) -> None:
    """Raise `InvalidSetting` for a setting that is not one of the choices."""
    if getattr(settings, name) not in choices:
        listed = ", ".join(choices[:-1]) + f" or {choices[-1]}"
        raise InvalidSetting(name, f"{name} must be {listed}, not {getattr(settings, name)!r}")


def check_database(database_url: str, data_dir: str) -> None:
    """Raise `InvalidSetting` unless the settings name a PostgreSQL database or a folder for SQLite."""
    if database_url and not database_url.startswith(("postgresql://", "postgres://")):
        text = "database_url must begin with postgresql://, or be empty for SQLite in data_dir"
        raise InvalidSetting("database_url", text)
    if not database_url and not data_dir:
        raise InvalidSetting("data_dir", "data_dir must name a folder unless database_url is set")
