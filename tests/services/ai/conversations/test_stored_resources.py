"""What the store promises of projects and conversations, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from artificer_services.ai.conversations.errors import (
    NoConversation,
    NoProject,
    NotEmpty,
    Outdated,
)
from artificer_services.ai.conversations.sql_store import SqlStore
from artificer_services.ai.conversations.values import (
    Draft,
    Field,
    HistoryPolicy,
    RequestId,
)

from .test_store import answered, conversation


async def test_projects_are_made_found_changed_and_deleted(store: SqlStore) -> None:
    draft = Draft(display_name="Ämter", instructions="Be brief.", collections=("books", "laws"))
    made = (await store.create_project(draft, RequestId())).resource
    assert (made.display_name, made.instructions, made.collections) == ("Ämter", "Be brief.", ("books", "laws"))
    assert await store.project(made.id) == made
    changed = await store.update_project(made.id, made.etag, {Field.INSTRUCTIONS: "", Field.COLLECTIONS: ("maps",)})
    assert (changed.display_name, changed.instructions, changed.collections) == ("Ämter", "", ("maps",))
    assert changed.updated >= made.updated
    assert changed.etag != made.etag
    with pytest.raises(Outdated, match=changed.etag):
        await store.update_project(made.id, made.etag, {Field.INSTRUCTIONS: "no"})
    assert await store.project(made.id) == changed
    await store.delete_project(made.id)
    for call in (store.project(made.id), store.delete_project(made.id), store.update_project(made.id, "", {})):
        with pytest.raises(NoProject):
            await call


async def test_lists_have_the_newest_first_and_go_on_behind_a_place(store: SqlStore) -> None:
    projects = [(await store.create_project(Draft(), RequestId())).resource for _ in range(5)]
    newest = sorted(projects, key=lambda one: (one.created, one.id), reverse=True)
    first = await store.projects(limit=2, before=None)
    assert first == newest[:2]
    assert await store.projects(limit=9, before=(first[-1].created, first[-1].id)) == newest[2:]
    inside = [await conversation(store, project=projects[0].id) for _ in range(3)]
    outside = await conversation(store)
    await answered(store, inside[0].id)
    found = await store.conversations(project="", limit=9, before=None)
    assert found[0].id == inside[0].id  # the latest message
    assert {one.id for one in found} == {outside.id, *(one.id for one in inside)}
    last = (found[1].updated, found[1].id)
    assert await store.conversations(project="", limit=9, before=last) == found[2:]
    listed = await store.conversations(project=projects[0].id, limit=9, before=None)
    assert {one.id for one in listed} == {one.id for one in inside}


async def test_a_project_with_conversations_is_deleted_only_behind_them(store: SqlStore) -> None:
    project = (await store.create_project(Draft(), RequestId())).resource
    inside = [await conversation(store, project=project.id) for _ in range(2)]
    await answered(store, inside[0].id)
    with pytest.raises(NotEmpty, match="2 conversations"):
        await store.delete_project(project.id)
    assert sorted(await store.delete_conversations(project.id)) == sorted(one.id for one in inside)
    assert await store.delete_conversations(project.id) == []
    await store.delete_project(project.id)
    with pytest.raises(NoConversation):
        await store.conversation(inside[0].id)
    with pytest.raises(NoProject):
        await conversation(store, project=project.id)


async def test_conversations_are_changed_by_their_etag(store: SqlStore) -> None:
    made = await conversation(store, model="scripted", policy=HistoryPolicy.SUMMARIZE, collections=("books",))
    assert (made.model, made.policy, made.collections) == ("scripted", HistoryPolicy.SUMMARIZE, ("books",))
    await answered(store, made.id)
    kept = await store.conversation(made.id)
    assert kept.etag == made.etag  # messages do not change it
    assert kept.display_name == "Hello"
    changed = await store.update_conversation(made.id, made.etag, {Field.POLICY: HistoryPolicy.DROP})
    assert (changed.policy, changed.message_count) == (HistoryPolicy.DROP, 2)
    with pytest.raises(Outdated):
        await store.update_conversation(made.id, made.etag, {Field.DISPLAY_NAME: "no"})
    await store.delete_conversation(made.id)
    for call in (store.delete_conversation(made.id), store.update_conversation(made.id, "", {})):
        with pytest.raises(NoConversation):
            await call


@pytest.mark.parametrize("kind", ["project", "conversation", "fork"])
async def test_a_request_id_makes_one_resource_for_each_caller(store: SqlStore, kind: str) -> None:
    source = await conversation(store)

    async def make(request: RequestId) -> Any:
        if kind == "project":
            return await store.create_project(Draft(), request)
        if kind == "fork":
            return await store.fork(source.id, None, "", request)
        return await store.create_conversation(Draft(), request)

    request = RequestId("one", "ann", b"digest")
    made = await asyncio.gather(*(make(request) for _ in range(6)))
    assert len({one.resource.id for one in made}) == 1
    assert [one.fresh for one in made].count(True) == 1
    assert all(one.same for one in made)
    assert not (await make(replace(request, digest=b"other"))).same
    assert (await make(replace(request, caller="bob"))).resource.id != made[0].resource.id
