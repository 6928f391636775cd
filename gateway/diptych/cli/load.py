"""Settings from the environment, a file and flags; a gateway from the name of what makes it.

Sources in the order they are laid on one another: defaults, DIPTYCH_* variables, the TOML file, flags.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from ..gateway import Gateway
from ..settings import Settings

# An installed package names its application here; the library itself knows none.
ENTRY_POINT = "diptych.app"
DEFAULT_FILE = Path("diptych.toml")


class LoadError(Exception):
    """Settings or an application that cannot be loaded; the text says what to mend."""


class _Environment(EnvSettingsSource):
    """The DIPTYCH_* variables: tables and lists as JSON, or as text where the setting reads it."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value  # `a, b` for a list; the setting itself says what is wrong with anything else


class _Edge(BaseSettings, Settings):
    """The settings as the edge reads them; the gateway is given a plain `Settings`."""

    model_config = SettingsConfigDict(
        env_prefix="DIPTYCH_", env_nested_delimiter="__", frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, TomlConfigSettingsSource(settings_cls), _Environment(settings_cls)


def settings_of(config: Path | None, flags: dict[str, Any], assignments: list[str]) -> Settings:
    """The settings. Raises `LoadError` naming the setting at fault."""
    if config is not None and not config.is_file():
        raise LoadError(f"there is no settings file {config}")
    file = config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    for assignment in assignments:
        _assign(flags, assignment)

    class FromFile(_Edge):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        edge = FromFile(**flags)
    except ValidationError as error:
        faults = (f"{_place(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise LoadError("settings: " + "; ".join(faults)) from None
    except (tomllib.TOMLDecodeError, SettingsError) as error:
        raise LoadError(f"settings: {error}") from None
    return Settings(**{name: getattr(edge, name) for name in Settings.model_fields})


def _place(loc: tuple[int | str, ...]) -> str:
    """Where a fault is, without the names that pydantic gives to its own steps."""
    return ".".join(str(part) for part in loc if not (isinstance(part, str) and "[" in part))


def _assign(flags: dict[str, Any], assignment: str) -> None:
    name, equals, value = assignment.partition("=")
    if not equals:
        raise LoadError(f"--set takes NAME=VALUE, not {assignment!r}")
    *tables, last = name.split(".")
    table = flags
    for key in tables:
        table = table.setdefault(key, {})
    try:
        # A value is TOML where it reads as TOML (numbers, booleans, lists), else the text itself.
        table[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = value


def gateway_of(target: str | None, settings: Settings) -> Gateway:
    """The gateway that `module:factory` makes of the settings. Raises `LoadError`."""
    name = target or _installed()
    module_name, colon, attribute = name.partition(":")
    if not colon or not attribute:
        raise LoadError(f"{name!r} is not of the form module:factory")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: an application may lie in the current folder
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise LoadError(f"cannot import {module_name}: {error}") from None
    for part in attribute.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise LoadError(f"module {module_name} has no {attribute}")
    if isinstance(found, Gateway):
        raise LoadError(f"{name} is a gateway already: name a function that makes one of the settings")
    if not callable(found):
        raise LoadError(f"{name} is not callable")
    made = found(settings) if inspect.signature(found).parameters else found()
    if not isinstance(made, Gateway):
        raise LoadError(f"{name} made {type(made).__name__}, not a Gateway")
    return made


def _installed() -> str:
    found = list(entry_points(group=ENTRY_POINT))
    if len(found) == 1:
        return found[0].value
    names = ", ".join(sorted(point.value for point in found))
    which = f"{len(found)} are installed ({names})" if found else "none is installed"
    raise LoadError(f"name the application as module:factory: {which}")
