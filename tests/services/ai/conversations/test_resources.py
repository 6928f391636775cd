"""Projects and conversations by their methods: field masks, etags, request ids, pages, forks and deletions."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from artificer.conversation.v1 import conversation_service_pb2 as pb
from artificer_services.kit.paging import token_of
from tests.waiting import until_told

from .conftest import Serve, Served, fields_of, refused


async def project(served: Served, **fields: Any) -> pb.Project:
    made: pb.Project = await served.stub.CreateProject(pb.CreateProjectRequest(project=pb.Project(**fields)))
    return made


async def update(served: Served, *paths: str, id_: str, **fields: Any) -> pb.Conversation:
    """Update a conversation, with a mask if there are paths."""
    given = pb.Conversation(id=id_, **fields)
    mask = FieldMask(paths=paths) if paths else None
    request = pb.UpdateConversationRequest(conversation=given, update_mask=mask)
    changed: pb.Conversation = await served.stub.UpdateConversation(request)
    return changed


async def test_a_mask_names_the_fields_that_an_update_changes(served: Served) -> None:
    id_ = await served.start(display_name="Old", instructions="Be brief.")
    assert (await update(served, id_=id_, display_name="New")).instructions == "Be brief."
    changed = await update(served, "instructions", id_=id_, display_name="Ignored")
    assert (changed.display_name, changed.instructions) == ("New", "")
    masked = await update(served, "create_time", "etag", "message_count", "display_name", id_=id_, display_name="X")
    assert (masked.display_name, masked.create_time) == ("X", changed.create_time)
    whole = await update(served, "*", id_=id_, model="scripted", history_policy=pb.HISTORY_POLICY_SUMMARIZE)
    assert (whole.display_name, whole.model) == ("", "scripted")
    assert whole.history_policy == pb.HISTORY_POLICY_SUMMARIZE
    assert (await update(served, "create_time", id_=id_)).etag == whole.etag  # nothing to change
    for paths in (["no_such"], ["display_name.x"], ["*", "display_name"]):
        error = await refused(update(served, *paths, id_=id_))
        assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["update_mask"])


async def test_the_project_of_a_conversation_cannot_be_changed(served: Served) -> None:
    one, other = await project(served), await project(served)
    id_ = await served.start(project=one.id)
    assert (
        await update(served, "project", "display_name", id_=id_, project=one.id, display_name="A")
    ).project == one.id
    for paths in (["project"], []):
        error = await refused(update(served, *paths, id_=id_, project=other.id))
        assert fields_of(error) == ["conversation.project"]
    error = await refused(update(served, "project", id_=id_))
    assert fields_of(error) == ["conversation.project"]


async def test_an_etag_must_be_that_of_the_stored_resource(served: Served) -> None:
    id_ = await served.start()
    read = await served.stub.GetConversation(pb.GetConversationRequest(conversation=id_))
    changed = await update(served, "display_name", id_=id_, display_name="A", etag=read.etag)
    assert changed.etag != read.etag
    for path in ("display_name", "create_time"):
        error = await refused(update(served, path, id_=id_, display_name="B", etag=read.etag))
        assert error.code() == grpc.StatusCode.ABORTED
        assert changed.etag in (error.details() or "")
    answer = await served.http.patch(f"/v1/conversations/{id_}", json={"displayName": "B", "etag": read.etag})
    assert answer.status_code == 409
    await served.send(id_, "Hello")
    await update(served, "display_name", id_=id_, display_name="C", etag=changed.etag)  # messages do not change it


async def test_a_repeated_creation_answers_the_same(served: Served) -> None:
    made = [
        (await served.http.post("/v1/projects?requestId=a", json={"displayName": "One"})).json()["id"] for _ in "ab"
    ]
    assert made[0] == made[1]
    header = {"idempotency-key": "a"}
    same = await served.http.post("/v1/projects", json={"displayName": "One"}, headers=header)
    assert same.json()["id"] == made[0]
    other = await served.http.post("/v1/projects", json={"displayName": "Two"}, headers=header)
    assert (other.status_code, other.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert made[0] in other.json()["error"]["message"]
    listed = (await served.http.get("/v1/projects")).json()["projects"]
    assert len(listed) == 1
    first = await served.http.post("/v1/conversations", json={}, headers=header)
    again = await served.http.post("/v1/conversations", headers=header)
    assert (first.status_code, first.json()["id"]) == (200, again.json()["id"])


async def test_pages_have_every_entry_once(served: Served) -> None:
    one = await project(served)
    ids = [await served.start(project=one.id) for _ in range(5)]
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListConversationsRequest(project=one.id, page_size=2, page_token=token)
        page = await served.stub.ListConversations(request)
        assert len(page.conversations) <= 2
        found += [conversation.id for conversation in page.conversations]
        if not (token := page.next_page_token):
            break
        elsewhere = pb.ListConversationsRequest(page_token=token)
        assert fields_of(await refused(served.stub.ListConversations(elsewhere))) == ["page_token"]
    assert found == ids[::-1]
    projects = await served.stub.ListProjects(pb.ListProjectsRequest(page_size=1))
    assert (len(projects.projects), projects.next_page_token) == (1, "")


@pytest.mark.parametrize("position", ["abc", "9" * 16, "x" * 17 + "0"])
async def test_a_page_token_that_was_made_up_is_refused(served: Served, position: str) -> None:
    conversations = pb.ListConversationsRequest(page_token=token_of(position, "conversations", ""))
    assert fields_of(await refused(served.stub.ListConversations(conversations))) == ["page_token"]
    projects = pb.ListProjectsRequest(page_token=token_of(position, "projects"))
    assert fields_of(await refused(served.stub.ListProjects(projects))) == ["page_token"]


async def test_a_project_is_deleted_with_its_conversations_only_by_force(served: Served) -> None:
    one = await project(served, display_name="One")
    id_ = await served.start(project=one.id)
    error = await refused(served.stub.DeleteProject(pb.DeleteProjectRequest(project=one.id)))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "force" in (error.details() or "")
    assert (await served.http.delete(f"/v1/projects/{one.id}?force=true")).status_code == 200
    for path in (f"/v1/projects/{one.id}", f"/v1/conversations/{id_}"):
        assert (await served.http.get(path)).status_code == 404
    error = await refused(served.stub.DeleteProject(pb.DeleteProjectRequest(project=one.id, force=True)))
    assert error.code() == grpc.StatusCode.NOT_FOUND


async def test_a_fork_goes_its_own_way(served: Served) -> None:
    id_ = await served.start(instructions="Be brief.")
    await served.send(id_, "One")
    await served.send(id_, "Two")
    messages = await served.messages(id_)
    fork = await served.http.post(f"/v1/conversations/{id_}:fork", json={"message": messages[1].id})
    assert fork.json()["forkedFrom"] == id_
    await served.send(fork.json()["id"], "Other")
    assert [one.content for one in await served.messages(fork.json()["id"])][::2] == ["One", "Other"]
    assert await served.messages(id_) == messages
    whole = await served.stub.ForkConversation(pb.ForkConversationRequest(conversation=id_, display_name="Copy"))
    assert (whole.message_count, whole.display_name) == (4, "Copy")


NAME = "x" * 257
ABSENT = "0" * 32
TEXT = "x" * (16 * 1024 + 1)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"display_name": NAME}, "conversation.display_name"),
        ({"display_name": "a\nb"}, "conversation.display_name"),
        ({"instructions": TEXT}, "conversation.instructions"),
        ({"instructions": "a\0b"}, "conversation.instructions"),
        ({"model": "none"}, "conversation.model"),
        ({"collections": ["none"]}, "conversation.collections[0]"),
        ({"collections": ["a", "a"]}, "conversation.collections[1]"),
        ({"collections": [""]}, "conversation.collections[0]"),
        ({"collections": [str(number) for number in range(9)]}, "conversation.collections"),
        ({"history_policy": 7}, "conversation.history_policy"),
    ],
)
async def test_a_wrong_conversation_is_refused_by_its_field(served: Served, fields: dict[str, Any], wrong: str) -> None:
    error = await refused(served.start(**fields))
    assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, [wrong])
    id_ = await served.start()
    error = await refused(update(served, *fields, id_=id_, **fields))
    assert fields_of(error) == [wrong]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/projects/none", 404),
        ("GET", "/v1/conversations/none", 404),
        ("GET", "/v1/conversations/none/messages", 404),
        ("GET", "/v1/conversations/none/messages/000000000000001", 404),
        ("GET", f"/v1/conversations/{ABSENT}/messages/1", 400),
        ("GET", f"/v1/conversations/{ABSENT}", 404),
        ("GET", f"/v1/conversations/{ABSENT}/messages", 404),
        ("POST", f"/v1/conversations/{ABSENT}:regenerate", 404),
        ("POST", f"/v1/conversations/{ABSENT}:stop", 404),
        ("GET", "/v1/conversations?project=none", 404),
        ("GET", "/v1/conversations?pageSize=-1", 400),
        ("GET", "/v1/projects?pageToken=none", 400),
        ("GET", "/v1/projects?pageToken=%00", 400),
        ("DELETE", "/v1/projects/none", 404),
        ("DELETE", "/v1/conversations/none", 404),
        ("PATCH", "/v1/projects/none", 404),
        ("PATCH", "/v1/conversations/none", 404),
        ("POST", "/v1/conversations/none:fork", 404),
        ("POST", "/v1/conversations/none:stop", 404),
        ("POST", "/v1/conversations/none:regenerate", 404),
        ("POST", "/v1/conversations/%00:stop", 404),
    ],
)
async def test_what_does_not_exist_or_is_malformed_is_a_clear_error(
    served: Served, method: str, path: str, status: int
) -> None:
    body: dict[str, Any] | None = {} if method in ("PATCH", "POST") else None
    answer = await served.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


async def test_a_conversation_in_an_unknown_project_is_refused(served: Served) -> None:
    error = await refused(served.start(project="none"))
    assert error.code() == grpc.StatusCode.NOT_FOUND


async def test_old_conversations_are_removed_by_a_setting(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place) as served:
        id_ = await served.start()
        await served.send(id_, "Hello")
    async with serve(place, keep_days=1e-9) as served:

        async def gone() -> bool:
            return (await served.http.get(f"/v1/conversations/{id_}")).status_code == 404

        await until_told(gone)
