"""Passages of the server's documents that fit a text: BM25 over the files below a folder.

Owns the index, which is SQLite's full-text search in memory, made when the first text comes and again when files have
changed. Knows no model.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .api import TaskError

_WORD = re.compile(r"[^\W_]+")
_PARAGRAPHS = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_ASKED_WORDS = 256  # different ones of a text that are looked for: the first pages of a document tell what it is about

# unicode61 folds case; 2 strips accents of every form of Unicode (sqlite.org/fts5.html, section 4.3.1).
_TABLE = "CREATE VIRTUAL TABLE passages USING fts5(source UNINDEXED, body, tokenize = 'unicode61 remove_diacritics 2')"

Stamp = tuple[str, int, int]  # a file's path below the folder, its time of change and its size


@dataclass(frozen=True, slots=True, kw_only=True)
class RagSettings:
    """Where passages come from. Raises ValueError for values that make no sense."""

    folder: str = ""  # of text files in UTF-8; empty: no phase can use_rag
    suffixes: tuple[str, ...] = (".txt", ".md", ".rst")
    passages: int = 4  # that a text is given
    passage_chars: int = 1200
    max_bytes: int = 64 * 1024 * 1024  # of all files; every worker process has an index of its own
    refresh_seconds: float = 10.0  # how often it is looked whether files have changed

    def __post_init__(self) -> None:
        for name in ("passages", "passage_chars", "max_bytes", "refresh_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Passage:
    """Some paragraphs of a file, which is named as seen from the folder."""

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
        """The passages that fit a text best, the best first; none where no word is in any. Raises TaskError."""
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
        # Whichever thread ends the worker closes it; they never use it at once.
        index = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            index.execute(_TABLE)
            for source, _, _ in stamps:
                try:
                    text = Path(self._settings.folder, source).read_text(encoding="utf-8", errors="replace")
                except OSError:
                    continue  # gone since; the next look finds that
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
                    raise TaskError(f"the server's passages have more than {self._settings.max_bytes:,} bytes")
                yield os.path.relpath(path, self._settings.folder), seen.st_mtime_ns, seen.st_size


def cut(text: str, size: int) -> list[str]:
    """A text in passages of at most `size` characters: whole paragraphs where they fit, else sentences, else words."""
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
    raise TaskError(f"the server's folder of passages cannot be read: {error.strerror}") from error
