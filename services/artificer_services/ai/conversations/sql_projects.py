"""The statements of projects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from ...kit.storage import clock
from ...kit.storage.database import Database
from ...kit.times import to_micros
from . import schema
from .errors import NoProject, NotEmpty, Outdated
from .rows import names_in, project_of, request_in
from .store import Made, Place
from .values import Draft, Field, Project, RequestId, etag_of


def columns_of(changes: Mapping[Field, Any]) -> dict[str, Any]:
    """Returns the columns of changed fields."""
    named: dict[str, Any] = {}
    for field, value in changes.items():
        if field is Field.COLLECTIONS:
            named["collections"] = json.dumps(value)
        else:
            named["policy" if field is Field.POLICY else field.value] = value
    return named


class ProjectStatements:
    """The part of the store with projects; see `Store`."""

    database: Database

    async def create_project(self, draft: Draft, request: RequestId) -> Made[Project]:
        """Store a project; see `Store`."""
        table = schema.projects

        def make(connection: Connection) -> Made[Project]:
            if request.id:
                owned = select(table).where(
                    table.c.caller == request.caller, table.c.request_id == request.id, schema.HAS_REQUEST_ID
                )
                lock_request(connection, request)
                if row := connection.execute(owned).one_or_none():
                    return Made(project_of(row), fresh=False, same=bytes(row.digest) == request.digest)
            now = connection.execute(select(clock.now(connection))).scalar_one()
            values = {"id": uuid4().hex, **names_in(draft), "created": now, "updated": now, "revision": 1}
            return Made(
                project_of(
                    connection.execute(insert(table).values(**values, **request_in(request)).returning(table)).one()
                )
            )

        return await self.database.write(make)

    async def project(self, id_: str) -> Project:
        """Returns a project; see `Store`."""
        asked = select(schema.projects).where(schema.projects.c.id == id_)
        row = await self.database.read(lambda connection: connection.execute(asked).one_or_none())
        if row is None:
            raise NoProject(id_)
        return project_of(row)

    async def projects(self, *, limit: int, before: Place | None) -> list[Project]:
        """Returns projects; see `Store`."""
        table = schema.projects
        asked = select(table).order_by(table.c.created.desc(), table.c.id.desc()).limit(limit)
        if before:
            asked = asked.where(tuple_(table.c.created, table.c.id) < (to_micros(before[0]), before[1]))
        rows = await self.database.read(lambda connection: connection.execute(asked).all())
        return [project_of(row) for row in rows]

    async def update_project(self, id_: str, etag: str, changes: Mapping[Field, Any]) -> Project:
        """Change fields; see `Store`."""
        table = schema.projects

        def change(connection: Connection) -> Project:
            row = connection.execute(select(table).where(table.c.id == id_).with_for_update()).one_or_none()
            if row is None:
                raise NoProject(id_)
            if etag and etag != (current := etag_of(id_, row.revision)):
                raise Outdated(f"project {id_!r}", current)
            values = {**columns_of(changes), "updated": clock.now(connection), "revision": row.revision + 1}
            done = connection.execute(update(table).where(table.c.id == id_).values(values).returning(table))
            return project_of(done.one())

        return await self.database.write(change)

    async def delete_project(self, id_: str) -> None:
        """Delete a project; see `Store`."""
        table, inside = schema.projects, schema.conversations

        def remove(connection: Connection) -> None:
            if connection.execute(select(table.c.id).where(table.c.id == id_).with_for_update()).one_or_none() is None:
                raise NoProject(id_)
            counted = select(func.count()).select_from(inside).where(inside.c.project == id_)
            if count := connection.execute(counted).scalar_one():
                raise NotEmpty(id_, count)
            connection.execute(delete(table).where(table.c.id == id_))

        await self.database.write(remove)


def lock_request(connection: Connection, request: RequestId) -> None:
    """Let requests with one id wait for one another; the transaction's write lock does it on SQLite."""
    if connection.dialect.name == "postgresql":
        key = func.hashtextextended(f"conversation request {request.caller}\n{request.id}", 0)
        connection.execute(select(func.pg_advisory_xact_lock(key)))
