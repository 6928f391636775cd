"""Settings from flags, the environment and a file, in this order of precedence, before the defaults.

It knows no application.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ..settings import Settings
from ..settings.errors import Fault, SettingError, unknown
from ..settings.names import elsewhere
from ..settings.services import ServiceTables
from ..settings.wording import described
from .sources import PREFIX, Sources, names_itself, parts_of, variables

DEFAULT_FILE = Path("diptych.toml")


class LoadError(Exception):
    """Settings or an application that cannot be loaded; the message says what to do."""


class _Environment(EnvSettingsSource):
    """The DIPTYCH_* variables: tables and lists as JSON, or as text if the setting parses it."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value  # `a, b` for a list; validation reports anything else


class _Edge(BaseSettings, Settings):
    """The settings with their sources; the gateway gets a plain `Settings`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)


def settings_of(config: Path | None, flags: Mapping[str, Any], assignments: list[str]) -> Settings:
    """Returns the settings. Raises `LoadError`, which names each invalid setting and where it was written."""
    sources = sources_of(config, flags, assignments)
    tree = {} if sources.file is None else _parsed(sources.file)
    given = dict(flags)
    for assignment in assignments:
        _assign(given, assignment)

    class FromFile(_Edge):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **kwargs: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            above = super().settings_customise_sources(settings_cls, *args, **kwargs)
            return *above, InitSettingsSource(settings_cls, tree)

    try:
        edge = FromFile(**given)
    except ValidationError as error:
        faults = [*_unread(sources), *map(_fault, error.errors())]
    except SettingsError as error:
        raise LoadError(f"settings: {error}") from None
    else:
        faults = list(_unread(sources))
    if faults:
        raise placed(SettingError(*dict.fromkeys(faults)), sources)
    settings = Settings(**{name: getattr(edge, name) for name in Settings.model_fields})
    return settings.model_copy(update={"services": ServiceTables(settings.services)})


def sources_of(config: Path | None, flags: Collection[str], assignments: list[str]) -> Sources:
    """Returns where settings come from. Raises `LoadError` if the file is missing."""
    if config is not None and not config.is_file():
        raise LoadError(f"there is no settings file {config}")
    return Sources(
        options=tuple(flags),
        assignments=[assignment.partition("=")[0] for assignment in assignments],
        environ=os.environ,
        file=config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None),
    )


def placed(error: SettingError, sources: Sources) -> LoadError:
    """Returns the error with the places where its settings were written."""
    texts = []
    for setting, text in error.faults:
        place = sources.of(setting)
        names = (place,) if place is not None and names_itself(place, setting) else (place, setting)
        texts.append(": ".join((*filter(None, names), text)))
    return LoadError("; ".join(texts))


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise LoadError(f"{file}:{line[1]}: {error}" if line else f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise LoadError(f"{file}: expected a TOML file in UTF-8") from None


def _unread(sources: Sources) -> Iterator[Fault]:
    """Yields the variables that name no setting, which pydantic-settings ignores."""
    for _, place in variables(sources.environ):
        if place[0] not in Settings.model_fields:
            yield unknown(place[0], Settings.model_fields)


def _fault(error: ErrorDetails) -> Fault:
    loc = error["loc"]
    # A location also names unions and validators, such as `function-before[_listed(), tuple[str, ...]]`.
    place = tuple(str(part) for part in loc if not (isinstance(part, str) and "[" in part))
    if error["type"] == "no_effect":
        place = (*place, error["ctx"]["setting"])
    setting = ".".join(place)
    if error["type"] == "extra_forbidden":
        return unknown(setting, _known(place[:-1]))
    if place[:1] == ("services",) and len(place) == 2 and elsewhere(setting):
        return unknown(setting, ())  # a setting of the gateway below the heading [services]
    return Fault(setting or "settings", described(error))


def _known(table: tuple[str, ...]) -> Collection[str]:
    """Returns the settings of a table; the path may contain keys of mappings and indexes of lists."""
    model: type[BaseModel] = Settings
    for part in table:
        field = model.model_fields.get(part)
        if field is not None:
            model = next(_models(field.annotation), model)
    return model.model_fields


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _models(one)


def _assign(flags: dict[str, Any], assignment: str) -> None:
    name, equals, value = assignment.partition("=")
    if not equals:
        raise LoadError(f"--set {assignment}: expected NAME=VALUE")
    *tables, last = parts_of(name)
    table = flags
    for key in tables:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise LoadError(f"--set {name}: {key} is set to a value and to a table")
    try:
        # A value that parses as TOML is TOML (numbers, booleans, lists); any other is text.
        table[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = value
