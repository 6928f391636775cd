"""Files of graphs, so that a restart does not build them again.

A graph is a file of its own, and a manifest, which is replaced at once, says which. What is damaged, of another model
or of a later state of the collection is ignored.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
import zlib
from pathlib import Path

from ..store import Held
from .graph import Graph

_log = logging.getLogger(__name__)

_FORMAT = 1
_BLOCK = 4 * 1024 * 1024


class Snapshots:
    """The graphs that are saved in a folder. Blocks: call it in threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, held: Held) -> Graph | None:
        """Returns the saved graph of a collection, which may lack later changes; None if there is none."""
        try:
            saved = json.loads(self._manifest(held.number).read_bytes())
            file = self._folder / Path(str(saved["file"])).name
            known = {"format": _FORMAT, "model": held.form.model, "dimension": held.form.dimension}
            if any(saved.get(name) != value for name, value in known.items()) or saved["changes"] > held.changes:
                return None
            if file.stat().st_size != saved["size"] or _checksum(file) != saved["checksum"]:
                _log.warning("the snapshot of the index of collection %s is damaged; it is built anew", held.number)
                return None
            return Graph.load(file, held.form.dimension)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            _log.warning("the snapshot of an index cannot be read, so the index is built anew: %s", error)
            return None

    def save(self, held: Held, graph: Graph) -> None:
        """Save the graph of a collection. A failure is logged: the index works without a snapshot."""
        new = self._folder / f"{held.number}-{uuid.uuid4().hex}.usearch"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            graph.save(new)
            manifest = {
                "format": _FORMAT,
                "file": new.name,
                "model": held.form.model,
                "dimension": held.form.dimension,
                "changes": held.changes,
                "size": new.stat().st_size,
                "checksum": _checksum(new),
            }
            draft = new.with_suffix(".json")
            draft.write_text(json.dumps(manifest))
            os.replace(draft, self._manifest(held.number))
        except (OSError, RuntimeError) as error:
            _log.warning("the snapshot of an index cannot be written: %s", error)
            new.unlink(missing_ok=True)
            return
        self._remove(held.number, but=new.name)

    def remove(self, number: int) -> None:
        """Delete the files of a collection."""
        with contextlib.suppress(OSError):
            self._manifest(number).unlink(missing_ok=True)
        self._remove(number, but="")

    def numbers(self) -> set[int]:
        """Returns the collections that have files."""
        names = [file.name for file in self._folder.iterdir()] if self._folder.is_dir() else []
        starts = (name.split(".")[0].split("-")[0] for name in names)
        return {int(start) for start in starts if start.isdecimal()}

    def _manifest(self, number: int) -> Path:
        return self._folder / f"{number}.json"

    def _remove(self, number: int, *, but: str) -> None:
        for file in self._folder.glob(f"{number}-*"):
            if file.name != but:
                with contextlib.suppress(OSError):  # another process may have deleted it
                    file.unlink()


def _checksum(file: Path) -> int:
    value = 0
    with file.open("rb") as data:
        while block := data.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value
