"""Stores blobs: bytes named by their SHA-256, in pieces.

A blob's row is written after its last piece: a blob with a row is complete. Pieces that a crash left without a row are
completed when the same bytes are stored again.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from sqlalchemy import select, update

from ..jobs.errors import NotFound
from ..jobs.job import Blob
from . import schema
from .base import SqlBase
from .language import InValues, Now, Statement, given, upsert
from .session import Tx

_BLOB, _PIECE = schema.blobs.c, schema.pieces.c

PIECE = 256 * 1024
_PIECES = 16  # per transaction, so that a large blob never blocks workers for long
_FRESH_MICROS = 60_000_000
_MEMORY = 1024 * 1024  # larger blobs are spooled to a file

_LOOK = Statement(select(_BLOB.id, _BLOB.size, _BLOB.content_type).where(_BLOB.id == given("blob")))
_THESE = Statement(select(_BLOB.id).where(InValues(_BLOB.id, "blobs")))
# An upload of stored bytes restarts their age, because a job is about to use them; at most once a minute, as it writes.
_TOUCH = Statement(
    update(schema.blobs)
    .where(_BLOB.id == given("blob"))
    .values(created=Now())
    .returning(_BLOB.id, _BLOB.size, _BLOB.content_type)
)
_FRESH = Statement(select(_BLOB.id).where(_BLOB.id == given("blob"), _BLOB.created > Now() - given("age", schema.Big)))
_GET = Statement(select(_PIECE.data).where(_PIECE.blob_id == given("blob"), _PIECE.position == given("place")))
_PUT_PIECE = {
    dialect: Statement(
        upsert(schema.pieces, dialect)
        .values(blob_id=given("blob"), position=given("place"), data=given("bytes"))
        .on_conflict_do_nothing()
    )
    for dialect in ("sqlite", "postgresql")
}
_PUT = {
    dialect: Statement(
        upsert(schema.blobs, dialect)
        .values(id=given("blob"), size=given("length"), content_type=given("kind"), created=Now())
        .on_conflict_do_nothing()
    )
    for dialect in ("sqlite", "postgresql")
}


class SqlBlobs(SqlBase):
    """The part of the store that keeps blobs; see `Store`."""

    def put_blob(self, content_type: str, pieces: Iterable[bytes]) -> Blob:
        """Store bytes; see `Store`. Large ones are spooled to a temporary file first."""
        digest = hashlib.sha256()
        with tempfile.SpooledTemporaryFile(_MEMORY) as spool:
            for piece in pieces:
                digest.update(piece)
                spool.write(piece)
            size, blob_id = spool.tell(), digest.hexdigest()
            known = self._known(blob_id)
            if known is not None:
                return known
            spool.seek(0)
            for batch in _batches(spool, blob_id):
                with self._database.write() as tx:
                    tx.many(_PUT_PIECE[tx.name], batch)
        with self._database.write() as tx:
            tx.run(_PUT[tx.name], {"blob": blob_id, "length": size, "kind": content_type})
            stored = _look(tx, blob_id)
        if stored is None:
            raise NotFound(f"the blob {blob_id} was removed while it was stored; upload it again")
        return stored

    def _known(self, blob_id: str) -> Blob | None:
        """Returns a blob that is stored, and restarts its age; None if it is not stored."""
        with self._database.read() as tx:
            known = _look(tx, blob_id)
            if known is None or tx.one(_FRESH, {"blob": blob_id, "age": _FRESH_MICROS}) is not None:
                return known
        with self._database.write() as tx:
            row = tx.one(_TOUCH, {"blob": blob_id})
        return None if row is None else Blob(id=row[0], size=row[1], content_type=row[2])

    def blob(self, blob_id: str) -> tuple[Blob, Iterator[bytes]]:
        """Returns a blob and its pieces; see `Store`."""
        with self._database.read() as tx:
            found = _look(tx, blob_id)
        if found is None:
            raise NotFound("there is no such blob")
        return found, self._pieces(found)

    def missing_blobs(self, blob_ids: Sequence[str]) -> set[str]:
        """Returns the ids that no blob has; see `Store`."""
        with self._database.read() as tx:
            found = {row[0] for row in tx.run(_THESE, {"blobs": tx.packed(blob_ids)})}
        return set(blob_ids) - found

    def _pieces(self, blob: Blob) -> Iterator[bytes]:
        for place in range(-(-blob.size // PIECE)):
            with self._database.read() as tx:
                row = tx.one(_GET, {"blob": blob.id, "place": place})
            if row is None:
                raise NotFound("the blob has just been removed")
            yield bytes(row[0])


def _look(tx: Tx, blob_id: str) -> Blob | None:
    row = tx.one(_LOOK, {"blob": blob_id})
    return Blob(id=row[0], size=row[1], content_type=row[2]) if row else None


def _batches(spool: IO[bytes], blob_id: str) -> Iterator[list[dict[str, Any]]]:
    place, batch = 0, []
    while data := spool.read(PIECE):
        batch.append({"blob": blob_id, "place": place, "bytes": data})
        place += 1
        if len(batch) == _PIECES:
            yield batch
            batch = []
    if batch:
        yield batch
