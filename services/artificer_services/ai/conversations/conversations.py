"""Projects and conversations: makes, finds, changes, forks and deletes them, and reads their messages.

Works on a `Store`. Knows no protos and no database; `answers` has the messages that are sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...kit.errors import Fault, Invalid, NotFound
from ...kit.paging import invalid_token, number_of, page_size, place_of, size_faults, token_of
from ...kit.times import from_micros, to_micros
from ..models.errors import UnknownModel
from . import rules
from .errors import Outdated
from .interfaces import ChatModels, Collections
from .runner import Runner
from .settings import ConversationSettings
from .store import Place, Store
from .values import Conversation, Draft, Field, Message, Project

DEFAULT_PAGE = 50


class Conversations:
    """The use cases without an answer. `collections` is None on a server without collections."""

    def __init__(
        self,
        store: Store,
        models: ChatModels,
        collections: Collections | None,
        runner: Runner,
        settings: ConversationSettings,
    ) -> None:
        self._store, self._models, self._collections = store, models, collections
        self._runner, self._settings = runner, settings

    # Projects.

    async def create_project(self, draft: Draft, request_id: str = "", caller: str = "") -> Project:
        """Returns a new project, or the one that the same request made. Raises Invalid, Conflict."""
        await self._check(draft, "project.", request_id)
        request = rules.request_of(request_id, caller, draft)
        return rules.settled_project(await self._store.create_project(draft, request), request_id)

    async def project(self, id_: str) -> Project:
        """Returns a project. Raises NoProject."""
        return await self._store.project(rules.project_id(id_))

    async def projects(self, *, size: int, token: str) -> tuple[list[Project], str]:
        """Returns a page of projects, and the token of the next one. Raises Invalid."""
        limit, before = _page(size, token, "projects")
        found = await self._store.projects(limit=limit + 1, before=before)
        return found[:limit], _next([(one.created, one.id) for one in found], limit, "projects")

    async def update_project(self, id_: str, draft: Draft, paths: Sequence[str] | None, etag: str = "") -> Project:
        """Change the fields that a mask names. Raises Invalid, NoProject, Outdated."""
        rules.project_id(id_, "project.id")
        fields = rules.changed_fields(paths, draft, rules.PROJECT_FIELDS)
        await self._check(_only(draft, fields), "project.")
        if not fields:
            found = await self._store.project(id_)
            if etag and etag != found.etag:
                raise Outdated(f"project {id_!r}", found.etag)
            return found
        return await self._store.update_project(id_, etag, _changes(draft, fields))

    async def delete_project(self, id_: str, *, force: bool) -> None:
        """Delete a project, with its conversations if `force` is set. Raises NoProject, NotEmpty."""
        await self._store.project(rules.project_id(id_))
        while force and (ids := await self._store.delete_conversations(id_)):
            for one in ids:
                self._lose(one)
        await self._store.delete_project(id_)

    # Conversations.

    async def create_conversation(self, draft: Draft, request_id: str = "", caller: str = "") -> Conversation:
        """Returns a new conversation, or the one that the same request made. Raises Invalid, NoProject, Conflict."""
        await self._check(draft, "conversation.", request_id)
        if draft.project:
            rules.project_id(draft.project)
        request = rules.request_of(request_id, caller, draft)
        made = await self._store.create_conversation(draft, request)
        return rules.settled_conversation(made, request_id)

    async def conversation(self, id_: str) -> Conversation:
        """Returns a conversation. Raises NoConversation."""
        return await self._store.conversation(rules.conversation_id(id_))

    async def conversations(self, *, project: str, size: int, token: str) -> tuple[list[Conversation], str]:
        """Returns a page of conversations, and the token of the next one. Raises Invalid, NoProject."""
        limit, before = _page(size, token, "conversations", project)
        if project:
            await self._store.project(rules.project_id(project))
        found = await self._store.conversations(project=project, limit=limit + 1, before=before)
        places = [(one.updated, one.id) for one in found]
        return found[:limit], _next(places, limit, "conversations", project)

    async def update_conversation(
        self, id_: str, draft: Draft, paths: Sequence[str] | None, etag: str = ""
    ) -> Conversation:
        """Change the fields that a mask names. Raises Invalid, NoConversation, Outdated."""
        rules.conversation_id(id_, "conversation.id")
        fields = rules.changed_fields(paths, draft, rules.CONVERSATION_FIELDS, ("project",))
        await self._check(_only(draft, fields), "conversation.")
        moved = bool(draft.project) if paths is None or "*" in paths else "project" in paths
        if moved or not fields:
            found = await self._store.conversation(id_)
            if moved and draft.project != found.project:
                text = "cannot be changed; make another conversation in that project"
                raise Invalid(Fault("conversation.project", text))
            if not fields:
                if etag and etag != found.etag:
                    raise Outdated(f"conversation {id_!r}", found.etag)
                return found
        return await self._store.update_conversation(id_, etag, _changes(draft, fields))

    async def delete_conversation(self, id_: str) -> None:
        """Delete a conversation, and stop its running answer. Raises NoConversation."""
        await self._store.delete_conversation(rules.conversation_id(id_))
        self._lose(id_)

    async def fork(
        self, id_: str, *, message: str, display_name: str, request_id: str = "", caller: str = ""
    ) -> Conversation:
        """Returns a copy of a conversation up to a message. Raises Invalid, NoConversation, NoMessage, Conflict."""
        rules.conversation_id(id_)
        upto = rules.message_place(message) if message else None
        draft = Draft(display_name=display_name)
        await self._check(draft, "", request_id)
        request = rules.request_of(request_id, caller, "fork", id_, upto, display_name)
        made = await self._store.fork(id_, upto, display_name, request)
        return rules.settled_conversation(made, request_id)

    def _lose(self, conversation: str) -> None:
        if running := self._runner.running(conversation):
            running.lose()

    # Messages.

    async def message(self, conversation: str, id_: str) -> Message:
        """Returns a message. Raises Invalid, NoConversation, NoMessage."""
        return await self._store.message(rules.conversation_id(conversation), rules.message_place(id_))

    async def messages(self, conversation: str, *, size: int, token: str) -> tuple[list[Message], str]:
        """Returns a page of messages and the token of the next one. Raises Invalid, NoConversation."""
        if faults := size_faults(size):
            raise Invalid(*faults)
        scope = ("messages", rules.conversation_id(conversation))
        after = number_of(token, *scope) if token else 0
        limit = page_size(size, DEFAULT_PAGE)
        largest = self._settings.max_page_bytes
        found = await self._store.messages(conversation, after=after, limit=limit, max_bytes=largest)
        if not found:
            return [], ""
        last = found[-1].sequence
        more = await self._store.messages(conversation, after=last, limit=1, max_bytes=1)
        return found, token_of(str(last), *scope) if more else ""

    # What all have in common.

    async def _check(self, draft: Draft, prefix: str, request_id: str = "") -> None:
        faults = [*rules.draft_faults(draft, self._settings, prefix)]
        faults += rules.request_id_faults(request_id, self._settings)
        if faults:
            raise Invalid(*faults)
        if draft.model:
            try:
                self._models.chat_info(draft.model)
            except UnknownModel as error:
                raise Invalid(*(Fault(f"{prefix}model", fault.text) for fault in error.faults)) from None
        for place, name in enumerate(draft.collections):
            if fault := await self._missing(f"{prefix}collections[{place}]", name):
                faults.append(fault)
        if faults:
            raise Invalid(*faults)

    async def _missing(self, field: str, name: str) -> Fault | None:
        if self._collections is None:
            return Fault(field, "this server has no collections")
        try:
            await self._collections.collection(name)
        except (NotFound, Invalid):
            return Fault(field, f"there is no collection {name[:64]!r}")
        return None


def _only(draft: Draft, fields: Sequence[Field]) -> Draft:
    return Draft(**{_attribute(field): rules.value_of(draft, field) for field in fields})


def _attribute(field: Field) -> str:
    return "policy" if field is Field.POLICY else field.value


def _changes(draft: Draft, fields: Sequence[Field]) -> dict[Field, Any]:
    return {field: rules.value_of(draft, field) for field in fields}


def _page(size: int, token: str, *scope: str) -> tuple[int, Place | None]:
    if faults := size_faults(size):
        raise Invalid(*faults)
    return page_size(size, DEFAULT_PAGE), _place(place_of(token, *scope)) if token else None


def _next(places: Sequence[Place], limit: int, *scope: str) -> str:
    """Returns the token behind the last entry of a page, if one more was found."""
    if len(places) <= limit:
        return ""
    time, id_ = places[limit - 1]
    return token_of(f"{to_micros(time):0{_TIME_DIGITS}d}{id_}", *scope)


_TIME_DIGITS = 17  # of microseconds since 1970, until the year 5138


def _place(place: str) -> Place:
    digits, id_ = place[:_TIME_DIGITS], place[_TIME_DIGITS:]
    if not (len(digits) == _TIME_DIGITS and digits.isascii() and digits.isdigit()):
        raise invalid_token()  # the checksum of a token is no signature: a client may have made it up
    return from_micros(int(digits)), id_
