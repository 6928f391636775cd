"""Finds passages of the server's documents that match a text: BM25 over the files below a folder.

Owns the index, SQLite's full-text search in memory, which is built on first use and when files change. Knows no model.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...kit.settings import check_positive
from .api import TaskError

_WORD = re.compile(r"[^\W_]+")
_PARAGRAPHS = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_ASKED_WORDS = 256  # distinct words of a text that are searched for: the first pages of a document suffice

# unicode61 folds case; 2 strips accents of every form of Unicode (sqlite.org/fts5.html, section 4.3.1).
_TABLE = "CREATE VIRTUAL TABLE passages USING fts5(source UNINDEXED, body, tokenize = 'unicode61 remove_diacritics 2')"

Stamp = tuple[str, int, int]  # a file's path below the folder, its modification time and its size


@dataclass(frozen=True, slots=True, kw_only=True)
class RagSettings:
    """Where passages come from. Raises ValueError for invalid values."""

    folder: str = ""  # of UTF-8 text files; empty disables use_rag
    suffixes: tuple[str, ...] = (".txt", ".md", ".rst")
    passages: int = 4  # per text
    passage_chars: int = 1200
    max_bytes: int = 64 * 1024 * 1024  # of all files; every worker process has its own index
    refresh_seconds: float = 10.0  # how often files are checked for changes

    def __post_init__(self) -> None:
        check_positive(self, "passages", "passage_chars", "max_bytes", "refresh_seconds")


@dataclass(frozen=True, slots=True)
class Passage:
    """Some paragraphs of a file; `source` is its path below the folder."""

    source: str
    text: str


class Library:
    """The passages of a folder."""

    def __init__(self, settings: RagSettings) -> None:
        self._settings = settings
        self._index: sqlite3.Connection | None = None
        self._stamps: list[Stamp] = []
        self._looked = 0.0

    def find(self, text: str) -> list[Passage]:
        """Returns the passages that match a text best, best first; none if no word matches. Raises TaskError."""
        words = list(dict.fromkeys(_WORD.findall(text)))[:_ASKED_WORDS]
        if not words:
            return []
        asked = " OR ".join(f'"{word}"' for word in words)
        rows = self._fresh().execute(
            "SELECT source, body FROM passages WHERE passages MATCH ? ORDER BY rank, rowid LIMIT ?",
            (asked, self._settings.passages),
        )
        return [Passage(source, body) for source, body in rows]

    def close(self) -> None:
        """Drop the index."""
        index, self._index = self._index, None
        if index is not None:
            index.close()

    def _fresh(self) -> sqlite3.Connection:
        now = time.monotonic()
        if self._index is not None and now - self._looked < self._settings.refresh_seconds:
            return self._index
        stamps = sorted(self._files())
        if self._index is None or stamps != self._stamps:
            index = self._read(stamps)
            self.close()
            self._index, self._stamps = index, stamps
        self._looked = now
        return self._index

    def _read(self, stamps: list[Stamp]) -> sqlite3.Connection:
        # Another thread may close it when the worker ends; never two at once.
        index = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            index.execute(_TABLE)
            for source, _, _ in stamps:
                try:
                    text = Path(self._settings.folder, source).read_text(encoding="utf-8", errors="replace")
                except OSError:
                    continue  # deleted meanwhile; the next check notices
                rows = ((source, passage) for passage in cut(text, self._settings.passage_chars))
                index.executemany("INSERT INTO passages VALUES (?, ?)", rows)
            index.commit()
        except BaseException:
            index.close()
            raise
        return index

    def _files(self) -> Iterator[Stamp]:
        total = 0
        for folder, _, names in os.walk(self._settings.folder, onerror=_unreadable):
            for name in names:
                path = os.path.join(folder, name)
                if not name.endswith(self._settings.suffixes) or os.path.islink(path):
                    continue
                try:
                    seen = os.stat(path)
                except OSError:
                    continue
                total += seen.st_size
                if total > self._settings.max_bytes:
                    raise TaskError(f"the server's passages are larger than {self._settings.max_bytes:,} bytes")
                yield os.path.relpath(path, self._settings.folder), seen.st_mtime_ns, seen.st_size


def cut(text: str, size: int) -> list[str]:
    """Splits a text into passages of at most `size` characters: by paragraphs, else sentences, else characters."""
    passages: list[str] = []
    for paragraph in _PARAGRAPHS.split(text.strip()):
        for part in _shorten(paragraph.strip(), size):
            if passages and len(passages[-1]) + 2 + len(part) <= size:
                passages[-1] += "\n\n" + part
            elif part:
                passages.append(part)
    return passages


def _shorten(paragraph: str, size: int) -> Iterator[str]:
    if len(paragraph) <= size:
        yield paragraph
        return
    line = ""
    for sentence in _SENTENCE.split(paragraph):
        for piece in (sentence[at : at + size] for at in range(0, len(sentence), size)):
            if line and len(line) + 1 + len(piece) > size:
                yield line
                line = piece
            else:
                line = f"{line} {piece}" if line else piece
    yield line


def _unreadable(error: OSError) -> None:
    raise TaskError(f"cannot read the server's folder of passages: {error.strerror}") from error
