"""The words of chunks: how texts become words, and the full-text search of each database.

Words are made here, for both databases in one way: without case and accents, and in scripts that write no spaces one
character each, which a query joins to phrases. So a query is never read as the syntax of a database.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from .schema import POSITION_BITS, State
from .stop_words import stop_words

_LONGEST = 64  # characters of a word; PostgreSQL takes 2,046 bytes
_ASKED = 64  # words of a query
_POSITIONS = 16_383  # PostgreSQL's last position of a word in a text
_SPARSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Vowel signs of Indic scripts and points of Hebrew and Arabic are no letters to Python, but belong to words.
_WORD = re.compile(rf"[{_SPARSE}]+|(?:[^\W_{_SPARSE}]|[\u0591-\u05c7\u064b-\u065f\u0900-\u0dff])+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_FIRST_SPARSE = re.compile(f"[{_SPARSE}]")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk that was found, and how well it matches: more is better."""

    chunk: int
    score: float


def plain(text: str) -> str:
    """Returns a text without case and accents."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text))).casefold()


def words_of(text: str) -> Iterator[tuple[str, ...]]:
    """Yields the words of a text: of one part each, and runs of characters of scripts without spaces."""
    for found in _WORD.findall(plain(text)):
        if _FIRST_SPARSE.match(found):
            yield tuple(found[:_LONGEST])
        else:
            yield (found[:_LONGEST],)


def asked_words(text: str) -> list[tuple[str, ...]]:
    """Returns the different words of a query, at most 64: without stop words, unless it has only such ones."""
    words = dict.fromkeys(words_of(text))
    stops = stop_words([word[0] for word in words])
    telling = [word for word in words if word[0] not in stops]
    return (telling or list(words))[:_ASKED]


def insert_words(connection: Connection, collection: int, rows: Sequence[tuple[int, str]]) -> None:
    """Index chunks, given by their numbers and texts."""
    if connection.dialect.name == "sqlite":
        statement = text("INSERT INTO rag_words (rowid, scope, body) VALUES (:number, :scope, :words)")
        made = [(number, " ".join(part for word in words_of(body) for part in word)) for number, body in rows]
    else:
        statement = text("INSERT INTO rag_words (number, words) VALUES (:number, CAST(:words AS tsvector))")
        made = [(number, f"{_tsvector(body)} {_pg_scope(collection)}") for number, body in rows]
    scope = {"scope": _scope(collection)} if connection.dialect.name == "sqlite" else {}
    connection.execute(statement, [{"number": number, "words": words, **scope} for number, words in made])


def delete_words(connection: Connection, first: int, last: int) -> None:
    """Delete the words of the chunks from number `first` to before `last`."""
    key = "rowid" if connection.dialect.name == "sqlite" else "number"
    statement = text(f"DELETE FROM rag_words WHERE {key} >= :first AND {key} < :last")  # noqa: S608, own names
    connection.execute(statement, {"first": first, "last": last})


def find_words(
    connection: Connection, collections: Sequence[int], query: str, limit: int, filter_: Mapping[str, str]
) -> list[Ranked]:
    """Returns the visible chunks that have words of `query`, the best first: by BM25, by ts_rank_cd in PostgreSQL."""
    asked = asked_words(query)
    if not asked or not collections:
        return []
    if connection.dialect.name == "sqlite":
        key, score, match = "rowid", "-bm25(rag_words, 0.0, 1.0)", "rag_words MATCH :asked"
        given: dict[str, Any] = {"asked": _fts5(collections, asked)}
    else:
        # The rank is by the words alone; lengths count by their logarithm (1).
        key, score = "number", "ts_rank_cd(w.words, CAST(:words AS tsquery), 1)"
        match = "w.words @@ CAST(:asked AS tsquery)"
        words = _tsquery(asked)
        given = {"words": words, "asked": f"({' | '.join(_pg_scope(one) for one in collections)}) & ({words})"}
    where = [match, "v.state = :state"]
    for place, (name, value) in enumerate(filter_.items()):
        has = f"a.name = :name{place} AND a.value = :value{place}"
        where.append(f"EXISTS (SELECT 1 FROM rag_attributes a WHERE a.version = v.source AND {has})")  # noqa: S608
        given |= {f"name{place}": name, f"value{place}": value}
    statement = text(
        f"SELECT w.{key} AS number, {score} AS score FROM rag_words w "  # noqa: S608, own names
        f"JOIN rag_versions v ON v.number = w.{key} >> {POSITION_BITS} WHERE {' AND '.join(where)} "
        "ORDER BY score DESC, 1 LIMIT :limit"
    )
    rows = connection.execute(statement, {**given, "state": State.VISIBLE, "limit": limit})
    return [Ranked(row.number, float(row.score)) for row in rows]


def _scope(collection: int) -> str:
    return f"c{collection}"


def _pg_scope(collection: int) -> str:
    return f"' c{collection}'"  # with a space, which no word has


def _fts5(collections: Sequence[int], asked: Sequence[tuple[str, ...]]) -> str:
    """Returns a query of FTS5. Words are in quotation marks and have none, since they have only letters and digits."""
    words = " OR ".join(f'"{" ".join(word)}"' for word in asked)
    return f"scope : ({' OR '.join(map(_scope, collections))}) AND body : ({words})"


def _tsvector(body: str) -> str:
    parts = [part for word in words_of(body) for part in word]
    return " ".join(f"'{part}':{min(place, _POSITIONS)}" for place, part in enumerate(parts, 1))


def _tsquery(asked: Sequence[tuple[str, ...]]) -> str:
    return " | ".join("(" + " <-> ".join(f"'{part}'" for part in word) + ")" for word in asked)
