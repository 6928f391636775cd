"""Where each setting was written: a flag, a `DIPTYCH_*` variable, or a line of the settings file.

It compares names and quotes no value, which may be a secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "DIPTYCH_"
CONFIG = f"{PREFIX}CONFIG"
"""Names the settings file; every other variable with the prefix is a setting."""

Place = tuple[str, ...]
"""The parts of a setting's dotted name."""


_PART = re.compile(r'"([^"]*)"|([^.]+)')


def parts_of(name: str) -> Place:
    """Returns the parts of a dotted name; one that has dots is in quotes, as in TOML: `http_rules."a.v1.B.C"`."""
    return tuple(quoted or plain for quoted, plain in _PART.findall(name)) if '"' in name else tuple(name.split("."))


def variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Place]]:
    """Yields the variables that are settings, each with the parts of its setting's name."""
    for name in environ:
        if name.upper().startswith(PREFIX) and name.upper() != CONFIG:
            yield name, tuple(name[len(PREFIX) :].lower().split("__"))


def names_itself(place: str, setting: str) -> bool:
    """Whether the place is a flag or a variable that has the setting's own name."""
    name = place.removeprefix("--set ").removeprefix("--").removeprefix(PREFIX)
    return name.lower().replace("__", ".").replace("-", "_") == setting.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where settings were given, in order of precedence."""

    options: Sequence[str] = ()
    """Settings with a flag of their own."""
    assignments: Sequence[str] = ()
    """Dotted names given by `--set`."""
    environ: Mapping[str, str]
    file: Path | None = None

    def of(self, setting: str) -> str | None:
        """Returns where `setting`, or the nearest table around it, was written; None if it was not."""
        parts = tuple(setting.lower().split("."))
        lines = _TomlLines(self.file)
        for length in range(len(parts), 0, -1):
            place = parts[:length]
            found = self._flag(place) or self._variable(place) or lines.of(place)
            if found is not None:
                return found
        return None

    def _flag(self, place: Place) -> str | None:
        for option in self.options:
            if place == (option,):
                return f"--{option.replace('_', '-')}"
        for name in self.assignments:
            if _on_one_path(parts_of(name.lower()), place):
                return f"--set {name}"
        return None

    def _variable(self, place: Place) -> str | None:
        return next((name for name, found in variables(self.environ) if _on_one_path(found, place)), None)


class _TomlLines:
    """The lines of a TOML file. tomllib gives no line numbers, but a prefix of the file is valid TOML unless it cuts a
    value, so that the shortest prefix that has a key ends with it. Quadratic, but it runs only after a failed start.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lines = [] if file is None else file.read_text(encoding="utf-8").splitlines(keepends=True)

    def of(self, place: Place) -> str | None:
        begin = 1
        for end in range(1, len(self._lines) + 1):
            try:
                tree = tomllib.loads("".join(self._lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            if _has(tree, place):
                return f"{self._file}:{begin}"
            begin = end + 1
        return None


def _on_one_path(one: Place, other: Place) -> bool:
    return all(mine == yours for mine, yours in zip(one, other, strict=False))


def _has(tree: Any, place: Place) -> bool:
    for part in place:
        if isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
            continue
        found = [key for key in tree if key.lower() == part] if isinstance(tree, dict) else []
        if not found:
            return False
        tree = tree[found[0]]
    return True
